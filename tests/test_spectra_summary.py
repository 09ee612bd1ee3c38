"""What explains redundancy: cells from tables of small layers, claims over all of them, and the notebook."""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import papermill
import pytest
from synthetic_task import make_task
from test_notebooks import NOTEBOOKS, cells, shown

from diffred_core import files, results
from diffred_core.chapters import random_subsets, spectra
from diffred_core.chapters.spectra import across, claims_across, figures_across, names, relations
from diffred_core.chapters.spectra.cells import SCOPES, TARGETS, cells_of, measures_of
from diffred_core.drawing import show
from diffred_core.features import TaskFeatures
from diffred_core.results import where

TASKS, WIDTHS = ("easy", "middling", "hard", "hardest"), (16, 30, 48)
SHARES = (0.05, 0.2, 0.5)


def layers() -> Iterator[TaskFeatures]:
    """Yield three networks on four tasks: wider layers, and harder tasks."""
    for (width, d), (noise, task) in itertools.product(enumerate(WIDTHS), enumerate(TASKS, start=1)):
        made = make_task(n_samples=(120, 60, 80), n_features=d, noise=1.5 * noise, seed=width)
        yield replace(made, model=f"width {d}", task=task)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    few = {"fractions": SHARES, "methods": ("random",), "ridge_l2": (), "n_boot": 20}
    by_analysis = [
        [spectra.spectra(one, fractions=SHARES, n_seeds=2) for one in layers()],
        [random_subsets.probes(one, n_seeds=2, **few) for one in layers()],
        [random_subsets.similarity(one, n_seeds=2, fractions=SHARES, interval_fractions=()) for one in layers()],
        [every_layer()],
    ]
    joined = [pd.concat(some, ignore_index=True) for some in by_analysis]
    return dict(zip(spectra.cells.ANALYSES, joined, strict=True))


def every_layer() -> pd.DataFrame:
    """Return what the tables of layers hold of two networks with three layers each: redundancy rises with the rank."""
    rows = []
    for model, (depth, layer) in itertools.product(("width 16", "width 30"), enumerate("abc")):
        cell = {"experiment": "layers", "task": "easy", "model": model, "layer": layer, "n_features": 10 * (depth + 1)}
        whole = cell | {"method": "full", "split": "train"}
        rows += [whole | {"metric": "rankme", "value": 3.0 * depth + (model == "width 16")}]
        rows += [
            whole | {"metric": "nc1", "recipe": recipe, "value": v} for recipe, v in (("papyan", 1.0), ("harun", 9))
        ]
        rows += [
            cell | {"method": "in_distribution", "probe": "ridge", "metric": "accuracy", "value": 0.6 + depth / 10}
        ]
        drawn = cell | {"method": "random", "probe": "ridge", "repeat": 0, "seed": 1}
        rows += [drawn | {"metric": "accuracy_kept", "fraction": 0.2, "value": 0.5}]
        rows += [
            drawn | {"metric": "diffused_redundancy", "delta": 0.9, "value": (3 * depth + (model == "width 16")) / 10}
        ]
    return results.as_table(rows)


@pytest.fixture(scope="module")
def table(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    judged = claims_across.claims_by_cell(tables["spectra"])
    return across.summary_table(tables, judged, n_boot=60)


def test_a_cell_holds_the_means_over_draws_of_what_its_tables_say(tables: dict[str, pd.DataFrame]) -> None:
    at = {"task": "hard", "model": "width 30"}
    probes = where(tables["subset_probes"], probe="logistic", **at)
    measured = where(tables["spectra"], metric=names.CDNV, method=names.RANDOM, **at)
    for scope in SCOPES[:4]:
        cell = where(cells_of(tables, scope), **at).iloc[0]
        accuracy = where(probes, method="random", metric="accuracy", fraction=scope.target_share)["value"]
        assert cell[names.PART_ACCURACY] == pytest.approx(accuracy.mean())
        assert cell[names.FULL_ACCURACY] == where(probes, method="full", metric="accuracy")["value"].item()
        drawn = where(probes, method="random", metric="diffused_redundancy_first", delta=0.9).dropna(subset="repeat")
        assert cell[names.REDUNDANCY] == pytest.approx(drawn["value"].mean())
        assert cell[names.CDNV] == pytest.approx(where(measured, fraction=scope.share)["value"].mean())
        assert cell[names.WIDTH] == 30
        assert (names.SIMILARITY in cell) == (scope.share < 1)


def test_no_measure_saw_test_labels_and_layers_are_cells_of_their_own(tables: dict[str, pd.DataFrame]) -> None:
    for scope in SCOPES:
        measured = measures_of(cells_of(tables, scope))
        assert not {names.ACCURACY, names.FLIPS, *TARGETS} & set(measured)
    of_layers = cells_of(tables, SCOPES[-1])
    assert len(of_layers) == 6
    assert (of_layers["nc1"] == 1).all()  # in Papyan's convention
    assert measures_of(of_layers) == ["rankme", names.WIDTH]  # what does not vary explains nothing
    assert of_layers[names.PART_ACCURACY].tolist() == pytest.approx([0.3, 0.35, 0.4] * 2)
    assert cells_of({"spectra": tables["spectra"]}, SCOPES[0]).empty  # nobody measured redundancy


def test_the_summary_has_relations_errors_and_claims_and_is_a_results_table(table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(results.check(table), table)
    whole = where(table, layer=names.PENULTIMATE, fraction=1.0)
    kinds = where(whole, metric=names.CORRELATION + names.REDUNDANCY, label=names.WIDTH)
    assert set(kinds["method"]) == {relations.ALONE, relations.GIVEN, relations.WITHIN}
    assert (kinds["n"] == 12).all()
    errors = where(whole, metric=names.ERROR + names.REDUNDANCY).set_index("label")["value"]
    excess = where(whole, metric=names.EXCESS + names.REDUNDANCY, method=names.MEAN).set_index("label")["value"]
    assert excess[names.BEST] == pytest.approx(errors[names.BEST] - errors[names.MEAN])
    predicted = where(table, metric=names.ERROR + names.PART_ACCURACY, fraction=names.FRACTION)
    assert names.WIDTH in set(predicted["label"])
    assert names.SIMILARITY not in set(predicted["label"])  # it reads test images
    layers = where(table, layer=names.EVERY_LAYER, metric=names.CORRELATION + names.REDUNDANCY, label="rankme")
    assert where(layers, method=relations.ALONE)["value"].item() > 0.9
    one_task = layers.set_index("method")["value"]
    assert one_task[relations.WITHIN] == pytest.approx(one_task[relations.ALONE])


def test_claims_of_single_pages_are_averaged_and_those_about_nothing_left_out(
    tables: dict[str, pd.DataFrame], table: pd.DataFrame
) -> None:
    overall = {claim.name: claim for claim in claims_across.of_all(table)}
    stored = where(table, metric="claim", task=names.ALL_TASKS)
    assert stored["method"].tolist() == list(overall)
    assert stored["label"].tolist() == [claim.verdict for claim in overall.values()]
    by_cell = claims_across.claims_by_cell(tables["spectra"])
    values = [c.value for claims in by_cell.values() for c in claims if claims_across.stem(c.name) == "labels lead"]
    assert overall["labels lead"].value == pytest.approx(np.mean(values))
    assert "of 12 pairs of model and task" in overall["labels lead"].evidence
    assert "training aligns" not in overall  # no network before training
    assert "collapse goes with accuracy" in overall
    judged_wide = where(table, metric="claim", method="few directions hold the labels", model="width 48", task="easy")
    needed = where(tables["spectra"], metric=names.RANK_OF_SPAN, model="width 48", task="easy", fraction=1.0)
    assert judged_wide["value"].item() == where(needed, method=names.RANDOM)["value"].mean() / 48


def test_the_answer_names_the_measure_that_leads_and_too_few_cells_are_said(
    tables: dict[str, pd.DataFrame], table: pd.DataFrame
) -> None:
    answer = spectra.answers.spectra_summary(table)
    related = where(
        table, metric=names.CORRELATION + names.REDUNDANCY, method=relations.GIVEN, layer="penultimate", fraction=1.0
    )
    best = related.loc[related["value"].abs().idxmax()]
    assert f"{spectra.reading.MEASURES[best['label']]}, {best['value']:+.2f}" in answer.sentence
    assert "On a task that was held out" in answer.sentence
    one = {name: where(rows, task="easy", model="width 16") for name, rows in tables.items() if name != "layers"}
    alone = across.summary_table(one, claims_across.claims_by_cell(one["spectra"]), n_boot=5)
    assert "nothing can be related" in spectra.answers.spectra_summary(alone).sentence
    assert figures_across.NOTHING in html.unescape(show(figures_across.correlations(), alone).data)


def test_figures_say_what_they_draw(tables: dict[str, pd.DataFrame], table: pd.DataFrame) -> None:
    for figure, made_of in (
        (figures_across.correlations(), table),
        (figures_across.correlations(SCOPES[-1]), table),
        (figures_across.errors(), table),
        (figures_across.errors(SCOPES[1]), table),
        (figures_across.one_measure(figures_across.leading_measure(table)), tables),
    ):
        assert "<img" in show(figure, made_of).data
    errors = figures_across.errors()
    words = errors.words(errors.summary(table))
    mean = where(table, metric=names.ERROR + names.REDUNDANCY, label=names.MEAN, fraction=1.0)["value"].item()
    assert f"the mean of the other tasks {100 * mean:.1f}" in words
    caption = show(figures_across.correlation_numbers(), table).data
    assert "corrected for the others" in caption
    wide = figures_across.by_scope.summary(table).set_index("measure")
    assert pd.isna(wide.loc["CDNV", "every layer"])
    assert pd.notna(wide.loc["CDNV", "random 20 %"])


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_the_notebook_reads_all_tables_and_shows_the_answer(
    tables: dict[str, pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOKS.parent))
    for analysis, rows in tables.items():
        for (task, model), of_cell in rows.groupby(["task", "model"]):
            results.write(of_cell, files.table_path(task, model, analysis), provenance={})
    target = files.table_path(files.SUMMARY, files.SUMMARY, "spectra_summary")
    monkeypatch.setenv(files.TABLE, str(target))
    output = tmp_path / "executed.ipynb"
    papermill.execute_notebook(
        NOTEBOOKS / "spectra_summary.ipynb",
        output,
        parameters={"n_boot": 40},
        progress_bar=False,
        kernel_name="python3",
    )
    for cell in cells(output, "code"):
        assert not [one for one in cell["outputs"] if one["output_type"] == "error" or one.get("name") == "stderr"]
    page, written = html.unescape(" ".join(shown(output))), results.read(target)
    assert spectra.answers.spectra_summary(written).sentence.replace(" %", "\N{NO-BREAK SPACE}%") in page
    assert len(json.loads(output.read_text())["cells"]) > 10
