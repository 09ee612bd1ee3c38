"""The frontier of size and accuracy: who is on it, how sure that is, and whether models share it."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_task import make_task

from diffred_core import intervals, results
from diffred_core.chapters import random_subsets
from diffred_core.errors import InputError
from diffred_core.intervals import Interval, difference_interval

frontier, figures = random_subsets.frontier, random_subsets.figures_frontier


def table(*points, task="t"):
    """Return rows of points: model, dimensions kept of 100, accuracy and how far its limits are."""
    shared = {"experiment": "subset_probes", "task": task, "layer": "l", "probe": random_subsets.names.HEADLINE}
    rows = []
    for model, size, value, reach in points:
        method = "full" if size == 100 else "random"
        row = {"model": model, "n_features": 100, "n_selected": size, "fraction": size / 100, "method": method}
        limits = {"value": value, "low": value - reach, "high": value + reach, "metric": "mean_accuracy"}
        rows.append(shared | row | limits)
    return results.as_table(rows)


def verdicts(points):
    return {(row.model, row.n_selected): (row.frontier, row.verdict) for row in points.itertuples()}


def test_a_point_is_on_the_frontier_where_nobody_beats_it_with_as_few():
    points = frontier.accuracy_frontier(
        table(
            *(("a", 10, 0.5, 0.01), ("b", 10, 0.7, 0.01)),
            *(("a", 20, 0.7, 0.01), ("b", 20, 0.8, 0.01), ("a", 100, 0.9, 0.2)),
        )
    )
    assert verdicts(points) == {
        ("a", 10): (False, "fails"),  # as many dimensions, less accurate
        ("b", 10): (True, "holds"),
        ("a", 20): (False, "fails"),  # as accurate as fewer dimensions, and less than as many
        ("b", 20): (True, "holds"),
        ("a", 100): (True, "undecided"),  # ahead, but by less than its interval
    }


def test_a_point_that_is_behind_by_less_than_its_interval_is_undecided():
    points = frontier.accuracy_frontier(table(("a", 10, 0.50, 0.05), ("b", 10, 0.52, 0.05)))
    assert verdicts(points) == {("a", 10): (False, "undecided"), ("b", 10): (True, "undecided")}


def test_an_equal_accuracy_with_more_features_is_not_on_the_frontier():
    points = frontier.accuracy_frontier(table(("a", 10, 0.7, 0.0), ("b", 20, 0.7, 0.0)))
    assert verdicts(points) == {("a", 10): (True, "holds"), ("b", 20): (False, "undecided")}


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([5, 10, 20, 50]), st.sampled_from([0.2, 0.4, 0.5, 0.6])),
        min_size=1,
        max_size=9,
        unique_by=(lambda point: point[:2]),
    )
)
def test_frontier_is_what_no_point_dominates(drawn):
    points = frontier.accuracy_frontier(table(*((*point, 0.05) for point in drawn)))
    values = list(points[["n_selected", "mean", "frontier"]].itertuples(index=False, name=None))
    for i, (size, mean, on) in enumerate(values):
        others = [(n, m) for j, (n, m, _) in enumerate(values) if j != i]
        beaten = any((n < size and m >= mean) or (n == size and m > mean) for n, m in others)
        twin = any((n, m) == (size, mean) for n, m in others)
        assert twin or on == (not beaten)
    for (size, mean), group in itertools.groupby(sorted(v[:2] for v in values)):
        if len(list(group)) > 1:  # of twins one stands for both
            assert sum(on for n, m, on in values if (n, m) == (size, mean)) <= 1


def test_every_task_has_its_frontier_and_a_verdict():
    both = pd.concat(
        [
            table(("a", 20, 0.7, 0.01), ("b", 20, 0.71, 0.01), ("a", 100, 0.8, 0.01)),
            table(("a", 20, 0.7, 0.01), ("b", 20, 0.9, 0.01), ("a", 100, 0.95, 0.01), task="u"),
            table(("a", 20, 0.7, 0.05), ("b", 20, 0.75, 0.05), ("a", 100, 0.95, 0.01), task="v"),
            table(("a", 20, 0.7, 0.05), ("a", 100, 0.95, 0.01), task="w"),
        ]
    )
    claims = dict(frontier.claims_by_task(both))
    assert {task: claim.verdict for task, claim in claims.items()} == {
        "t": "holds",
        "u": "fails",
        "v": "undecided",
        "w": "undecided",
    }
    assert claims["u"].value == pytest.approx(0.2)
    assert "a falls furthest, by 20.0 points" in claims["u"].evidence
    assert "no other model" in claims["w"].evidence
    assert frontier.accuracy_frontier(both).groupby("task")["frontier"].any().all()


def test_a_model_that_is_inferior_to_fewer_features_of_another_fails():
    rows = table(("a", 20, 0.7, 0.01), ("b", 5, 0.9, 0.01), ("b", 30, 0.9, 0.01), ("a", 100, 0.9, 0.01))
    ((_, claim),) = frontier.claims_by_task(rows)
    assert (claim.verdict, claim.name) == ("fails", "one frontier at 20 % or 30 %")
    fair = table(("a", 20, 0.7, 0.01), ("b", 50, 0.9, 0.01), ("a", 100, 0.9, 0.01))  # more dimensions are no rival
    ((_, claim),) = frontier.claims_by_task(fair)
    assert claim.verdict == "holds"


def test_the_figure_has_a_panel_a_task_and_rings_what_is_sure():
    both = pd.concat([table(("a", 20, 0.7, 0.01), ("b", 20, 0.9, 0.01)), table(("a", 20, 0.7, 0.5), task="u")])
    points = figures.accuracy.summary(both)
    before = points.copy()
    panels = figures.accuracy.plot(points).figure.axes
    pd.testing.assert_frame_equal(points, before)
    assert [ax.get_title(loc="left") for ax in panels] == ["t", "u"]
    rings = [line for line in panels[0].lines if line.get_fillstyle() == "none"]
    assert [line.get_xdata().tolist() for line in rings] == [[20]]
    plt.close("all")
    words = figures.accuracy.words(points)
    assert "t: 20 dimensions 90.0 % (b; holds)" in words
    assert "u: 20 dimensions 70.0 % (a; holds)" in words
    with pytest.raises(InputError, match="plot_frontier needs at least one row"):
        figures.accuracy.plot(points.iloc[:0])
    shown = figures.on_frontier.summary(both)
    assert shown[["task", "dimensions", "surely"]].values.tolist() == [["t", 20, "holds"], ["u", 20, "holds"]]


def test_a_table_without_intervals_over_rows_is_refused():
    with pytest.raises(InputError, match="expected mean_accuracy with the ridge probe, got no such row"):
        frontier.accuracy_frontier(table(("a", 20, 0.7, 0.01)).assign(metric="accuracy"), probe="ridge")


def test_mean_accuracy_of_the_sweep_is_the_mean_over_draws_and_covers_new_rows():
    rows = random_subsets.probes(make_task(), fractions=(0.1, 0.5), n_seeds=3, n_boot=400, logistic_fractions=())
    for method in ("random", "full"):
        of_method = rows[rows["method"] == method]
        mean = of_method[of_method["metric"] == "accuracy"].groupby("fraction")["value"].mean()
        limited = of_method[of_method["metric"] == "mean_accuracy"].set_index("fraction")
        assert limited["value"].to_dict() == pytest.approx(mean.to_dict())
        assert (limited["low"] < limited["value"]).all()
        assert (limited["value"] < limited["high"]).all()
    # the full layer is one draw: what is left is the error of a share of 120 rows
    full = rows[(rows["method"] == "full") & (rows["metric"] == "mean_accuracy")].iloc[0]
    error = np.sqrt(full["value"] * (1 - full["value"]) / 120)
    assert (full["high"] - full["low"]) / (2 * 1.96 * error) == pytest.approx(1, abs=0.25)


def test_difference_interval_is_that_of_normal_errors_and_keeps_sides_apart():
    a, b = Interval(0.8, 0.77, 0.83), Interval(0.5, 0.46, 0.54)
    assert difference_interval(a, b) == pytest.approx((0.3, 0.25, 0.35))
    lopsided = difference_interval(Interval(0.8, 0.77, 0.81), Interval(0.5, 0.5, 0.54))
    assert lopsided == pytest.approx((0.3, 0.25, 0.31))
    draw = np.random.default_rng(0)
    covered = []
    for one, other in zip(draw.normal(1, 1, (2000, 20)), draw.normal(0, 3, (2000, 40)), strict=True):
        interval = difference_interval(intervals.mean_interval(one), intervals.mean_interval(other))
        covered.append(interval.low < 1 < interval.high)
    assert abs(np.mean(covered) - 0.95) < 0.03
