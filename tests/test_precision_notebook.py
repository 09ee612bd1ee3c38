"""The error of a precision: exact where it is known, judged by a margin, and shown by the notebook that measures it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import papermill
import pytest
import torch
from synthetic_task import make_task
from test_notebooks import NOTEBOOKS, shown
from tiny_world import MODEL, write_checkpoint, write_images

from diffred_core import files, results
from diffred_core.chapters import random_subsets
from diffred_core.errors import InputError
from diffred_core.features import TaskFeatures

TASK = make_task()


def noisy(scale: float, *, task: TaskFeatures = TASK) -> TaskFeatures:
    """Return the task with every feature multiplied by 1 plus noise."""
    draw = torch.Generator().manual_seed(0)
    splits = {name: (X * (1 + scale * torch.randn(X.shape, generator=draw)), y) for name, (X, y) in task.splits.items()}
    return replace(task, splits=splits)


def table_of(**others: TaskFeatures) -> pd.DataFrame:
    return random_subsets.precision_errors({"fp32": TASK, **others}, n_boot=200)


def values(table: pd.DataFrame, **which: str) -> list[float]:
    return results.where(table, **which)["value"].tolist()


def test_errors_are_those_of_the_features():
    rough, X = noisy(0.05), TASK.splits["test"][0].double()
    table = table_of(bf16=rough)
    difference = rough.splits["test"][0].double() - X
    assert values(table, metric="feature_error") == [pytest.approx(float(difference.norm() / X.norm()))]
    assert values(table, metric="feature_error_max") == [pytest.approx(float(difference.abs().max() / X.abs().max()))]
    cka = results.where(table, metric="cka_debiased")
    assert cka["label"].value_counts().to_dict() == {"fp32": 5, "bf16": 5}
    similarity = random_subsets.similarity(rough, fractions=[0.2], interval_fractions=[])
    expected = results.where(similarity, method="subset_whole", metric="cka_debiased")["value"].tolist()
    assert results.where(cka, label="bf16")["value"].tolist() == pytest.approx(expected)


def test_accuracy_is_that_of_the_sweep_of_probes_and_its_change_the_difference():
    table = table_of(bf16=noisy(0.3))
    probes = random_subsets.probes(
        TASK, fractions=[0.05, 0.1, 0.2, 0.5], methods=["random"], logistic_fractions=[], n_boot=10
    )
    for method in ("full", "random"):
        at = 0.2 if method == "random" else 1.0
        expected = results.where(probes, method=method, metric="accuracy", fraction=at)["value"].tolist()
        assert values(table, label="fp32", metric="accuracy", method=method) == pytest.approx(expected)
        change = results.where(table, metric="accuracy_change", method=method).iloc[0]
        means = [results.where(table, label=name, metric="accuracy", method=method)["value"].mean()
                 for name in ("bf16", "fp32")]  # fmt: skip
        assert change["value"] == pytest.approx(means[0] - means[1])
        assert change["low"] <= change["value"] <= change["high"]


def test_what_loses_nothing_holds_and_what_loses_much_fails():
    table = table_of(same=TASK, rough=noisy(3.0))
    verdicts = [claim.verdict for claim in random_subsets.claims_precision.all_claims(table)]
    assert verdicts == ["holds"] * 3 + ["fails"] * 3
    wide = [claim.verdict for claim in random_subsets.claims_precision.all_claims(table, margin=1.0)]
    assert wide == ["holds"] * 6


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="expected at least 2 precisions to compare, got fp32"):
        table_of()
    X, y = TASK.splits["test"]
    shorter = replace(TASK, splits={**TASK.splits, "test": (X[:-1], y[:-1])})
    with pytest.raises(InputError, match="expected the same images in every precision"):
        table_of(bf16=shorter)


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_the_notebook_shows_the_error_of_each(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOKS.parent))
    checkpoint, page = str(write_checkpoint(tmp_path / "w.safetensors")), tmp_path / "page.ipynb"
    quick = {"model": MODEL, "checkpoint": checkpoint, "task": f"folder:{write_images(tmp_path / 'pets', n=30)}"}
    quick |= {"precisions": ["fp32", "bf16", "fp16"], "n_seeds": 3}
    template = NOTEBOOKS / "precision.ipynb"
    monkeypatch.setenv(files.TABLE, str(tmp_path / "precision.csv"))
    papermill.execute_notebook(template, page, parameters=quick, progress_bar=False, kernel_name="python3")
    table, made_by = (read(tmp_path / "precision.csv") for read in (results.read, results.read_provenance))
    errors = results.where(table, metric="feature_error").set_index("label")["value"]
    assert errors["bf16"] > errors["fp16"] > 0
    answer, of_features, of_accuracy = shown(page)
    assert "6 claims: " in answer
    assert answer.count("<li") == 4  # of each precision the two claims about accuracy share a line
    assert f"{100 * errors['bf16']:.4f}" in of_features
    assert f"{100 * errors['bf16'] + 1:.4f}" not in of_features
    assert of_accuracy.count("<tr") == 1 + 6
    assert len(set(made_by["feature_keys"].values())) == 9  # three splits in three precisions
    assert made_by["parameters"]["precisions"] == ["fp32", "bf16", "fp16"]
