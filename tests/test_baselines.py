"""What answers without features reach: the commonest class and a guess, in the table, its figure and its words."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from synthetic_task import make_task

from diffred_core import results
from diffred_core.chapters import random_subsets
from diffred_core.chapters.random_subsets import names
from diffred_core.features import TaskFeatures


def unequal() -> TaskFeatures:
    """Return features of 3 classes: the first is the commonest of the training rows, the second of the test rows."""
    counts = {"train": (60, 30, 30), "validation": (20, 20, 20), "test": (20, 50, 10)}
    draw = torch.Generator().manual_seed(0)
    splits = {}
    for split, sizes in counts.items():
        y = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes))
        splits[split] = torch.randn(len(y), 12, generator=draw) + y[:, None], y
    return TaskFeatures("m", "t", ("a", "b", "c"), dict.fromkeys(counts, "none"), splits)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return random_subsets.probes(
        unequal(), n_seeds=2, fractions=(0.2, 0.5), methods=("random",), gap_fractions=(), logistic_l2=(1e-2,)
    )


def test_the_commonest_class_is_that_of_the_training_rows(table):
    rows = results.where(table, metric=names.BASELINE).set_index("method")
    assert rows.loc[names.MAJORITY, "label"] == "a"
    assert rows.loc[names.MAJORITY, "value"] == pytest.approx(20 / 80)  # not 50 / 80, of the commonest test class
    assert rows.loc[names.CHANCE, "value"] == pytest.approx(1 / 3)
    assert results.where(table, metric=names.CLASS_ROWS).set_index("label")["value"].to_dict() == {
        "a": 20.0,
        "b": 50.0,
        "c": 10.0,
    }


def test_balanced_accuracy_is_the_mean_over_classes_and_what_is_kept_is_also_said_above_the_commonest(table):
    shown = random_subsets.tables.accuracy_by_size(table)
    full = shown[shown["method"] == "full"].iloc[0]
    rows = results.where(table, probe="logistic", method="full")
    assert full["balanced"] == pytest.approx(100 * results.where(rows, metric="class_accuracy")["value"].mean())
    assert (full["kept"], full[random_subsets.tables.KEPT_ABOVE]) == (pytest.approx(100), pytest.approx(100))
    part = shown[(shown["method"] == "random") & (shown["dimensions"] == 20)].iloc[0]
    assert part["error"] == pytest.approx(100 - part["mean"])
    assert part["kept"] == pytest.approx(100 * part["mean"] / full["mean"])
    assert part[random_subsets.tables.KEPT_ABOVE] == pytest.approx(100 * (part["mean"] - 25) / (full["mean"] - 25))
    assert abs(full["balanced"] - full["mean"]) > 0.1  # the control: classes are of unequal size
    assert shown.iloc[-2:][["method", "mean"]].values.tolist() == [
        ["commonest class", pytest.approx(25.0)],
        ["guess", pytest.approx(100 / 3)],
    ]


def test_the_figure_draws_and_says_the_commonest_class(table):
    summary = random_subsets.figures.accuracy_by_method(table)
    ax = random_subsets.figures.plot_accuracy(summary)
    heights = {line.get_label(): line.get_ydata()[0] for line in ax.lines}
    assert heights["commonest class"] == pytest.approx(0.25)
    assert ", the commonest class 25.0 %." in random_subsets.figures.describe_accuracy(summary)
    older = table[table["metric"] != names.BASELINE]  # the control: a table of an earlier version
    assert "commonest" not in random_subsets.figures.describe_accuracy(random_subsets.figures.accuracy_by_method(older))


def test_of_equal_classes_guess_and_commonest_class_are_alike():
    features = make_task(n_samples=(80, 40, 40))
    rows = [
        row for row in random_subsets.baselines.baseline_rows(features, split="test") if row["metric"] == names.BASELINE
    ]
    assert [row["value"] for row in rows] == [0.25, 0.25]
