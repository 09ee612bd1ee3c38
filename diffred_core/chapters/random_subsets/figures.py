"""Figures of one model and task: what each reads off the table of its sweep, how it is drawn, how it is said.

Every ``plot_*`` takes the summary above it, and refuses one that is empty, lacks a column or mixes probes (InputError).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.random_subsets import findings, names
from diffred_core.chapters.random_subsets.comparators import COMPARATORS
from diffred_core.drawing import Figure, Look, looks, style
from diffred_core.drawing.style import GREY, begin, finish, interval_name, line, one_value, percent_axis, percent_ticks
from diffred_core.results import summarize, where
from diffred_core.results.claims import percent

METHODS = {name: Look(c.words, c.colour, c.marker, c.dash) for name, c in COMPARATORS.items()}
PROBES = {  # the headline first
    names.LOGISTIC: Look("logistic, converged", "#0072B2", "o"),
    names.RIDGE: Look("ridge", "#D55E00", "s"),
    names.SGD: Look("SGD, as published", "#009E73", "^"),
}
ESTIMATORS = {
    names.FIRST: Look("first fraction that reaches it", "#0072B2", "o"),
    names.NEAREST: Look("nearest fraction, as published", "#D55E00", "s", "--"),
}
SIMILARITIES = {  # by method and metric
    (names.WHOLE, names.CKA): Look("subset and layer", "#0072B2", "o"),
    (names.PAIR, names.CKA): Look("two subsets", "#D55E00", "s"),
    (names.WHOLE_NULL, names.NULL): Look("subset and layer, uncorrelated", "#0072B2", "", ":"),
    (names.PAIR_NULL, names.NULL): Look("two subsets, uncorrelated", "#D55E00", "", ":"),
    (names.PERMUTED, names.CKA): Look("unrelated rows", GREY, "", "-."),
}
KEPT = "dimensions kept (%, log scale)"
LOSSES = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005)  # shares of the accuracy that are named on the axis of what is needed
MOST_LOST, LEAST_LOST = LOSSES[0], LOSSES[-1]


def probe_words(probe: str | None) -> str:
    """Return the beginning of a title: ``ridge probe; ``, or nothing where the probe is not said."""
    return "" if probe is None else f"{PROBES[probe].words if probe in PROBES else probe} probe; "


def accuracy_by_method(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of the headline probe by method and share of the dimensions, and of the commonest class."""
    by = ["method", "probe", "fraction"]
    measured = summarize(where(table, probe=names.HEADLINE), by, metric=names.ACCURACY)
    constant = where(table, metric=names.BASELINE, method=names.MAJORITY).rename(columns={"value": "mean"})
    return pd.concat([measured, constant[["method", "mean"]]], ignore_index=True)


def plot_accuracy(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy against the share of dimensions kept, one line a method; random subsets have a band.

    Projections are nearly equal: they are hollow, and drawn side by side.
    """
    ax = begin(ax, summary, ("method", "fraction", "mean", "low", "high", "n"), what="plot_accuracy")
    probe = one_value(summary, "probe", what="plot_accuracy")
    # one band only: six of them hide each other
    _method_lines(ax, summary, banded=(names.RANDOM,), apart=True)
    percent_ticks(ax)
    title = f"{probe_words(probe)}band: {interval_name(where(summary, method=names.RANDOM))}"
    return finish(ax, title=title, x=KEPT, y="test accuracy (%)")


def describe_accuracy(summary: pd.DataFrame) -> str:
    """Return `plot_accuracy` in words."""
    parts = _nearest(_of_subsets(summary))
    reached = "; ".join(f"{look.words} {style.mean_in_words(parts[m])}" for m, look in looks(METHODS, parts).items())
    return (
        f"Line chart of test accuracy against the share of dimensions kept. The full layer reaches "
        f"{_whole(summary)}{_commonest(summary)}. At {_share(parts)} of the dimensions: {reached}."
    )


def _commonest(summary: pd.DataFrame) -> str:
    constant = where(summary, method=names.MAJORITY)["mean"]
    return f", the commonest class {100 * constant.iloc[0]:.1f} %" if len(constant) else ""


def probe_accuracy(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of random subsets and of the full layer by probe and share of the dimensions."""
    rows = where(table, method=(names.RANDOM, names.FULL))
    return summarize(rows, ["method", "probe", "fraction"], metric=names.ACCURACY)


def plot_probes(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of random subsets against their share, up to the full layer, one line a probe."""
    ax = begin(ax, summary, ("method", "probe", "fraction", "mean", "low", "high", "n"), what="plot_probes")
    random = where(summary, method=names.RANDOM)
    for probe, look in looks(PROBES, random["probe"]).items():
        rows = where(summary, probe=probe)
        if rows["fraction"].nunique() > 2:
            line(ax, rows, x="fraction", look=look)
        else:  # a line through one share and all would claim what lies between
            style.bars(ax, rows, x="fraction", look=look)
    percent_axis(ax, random["fraction"])
    percent_ticks(ax)
    title = f"random subsets; bands: {interval_name(random)}"
    return finish(ax, title=title, x=KEPT, y="test accuracy (%)")


def describe_probes(summary: pd.DataFrame) -> str:
    """Return `plot_probes` in words."""
    sentences = []
    for probe, look in looks(PROBES, summary["probe"]).items():
        rows = where(summary, probe=probe)
        at = _nearest(where(rows, method=names.RANDOM))
        reached = f"{style.mean_in_words(at[names.RANDOM])} at {_share(at)}"
        sentences.append(f"{look.words} {reached}, {_whole(rows)} for the full layer")
    return f"Line chart of the accuracy of random subsets by probe: {'; '.join(sentences)}."


def chosen_regulariser(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean decimal logarithm of the chosen l2 of the headline probe by method and share of the dimensions.

    The column `at_edge` is the share, of all its fits in the table, that chose an end of the l2 values.
    """
    rows = where(table, probe=names.HEADLINE)
    fits = where(rows, metric=names.ACCURACY, method=(names.RANDOM, names.PCA, names.FULL))
    summary = summarize(fits.assign(value=np.log10(fits["l2"])), ["method", "probe", "fraction"])
    return summary.assign(at_edge=where(rows, metric=names.AT_EDGE)["value"].mean())


def plot_regulariser(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the chosen regulariser against the share of dimensions kept, one line a method."""
    ax = begin(ax, summary, ("method", "probe", "fraction", "mean", "at_edge"), what="plot_regulariser")
    probe = one_value(summary, "probe", what="plot_regulariser")
    _method_lines(ax, summary, banded=(names.RANDOM,))
    title = f"{probe} probe; {100 * summary['at_edge'].iloc[0]:.0f} % of the fits at an end of the l2 values"
    return finish(ax, title=title, x=KEPT, y="log10 of l2, mean and interval over draws")


def describe_regulariser(summary: pd.DataFrame) -> str:
    """Return `plot_regulariser` in words."""
    parts = summary[summary["method"] != names.FULL].sort_values("fraction")
    ends = []
    for method, look in looks(METHODS, parts["method"]).items():
        means = where(parts, method=method)["mean"]
        ends.append(f"{look.words} from {means.iloc[0]:.1f} to {means.iloc[-1]:.1f}")
    return (
        "Line chart of the decimal logarithm of the chosen regulariser against the share of dimensions kept, from the "
        f"smallest share to the largest: {'; '.join(ends)}. {100 * summary['at_edge'].iloc[0]:.0f} % of the "
        f"{summary['probe'].iloc[0]} fits chose an end of the l2 values."
    )


def needed_by_loss(table: pd.DataFrame) -> pd.DataFrame:
    """Return the share of dimensions that random subsets need, which is 1 - DR, by estimator and accuracy lost.

    The mean is of the accuracy averaged over draws (the published order); low, high and n are of the values of single
    draws. Column lost is 1 - delta: the share of the full accuracy that may be lost, at most `MOST_LOST`.
    """
    rows = where(table, probe=names.HEADLINE, method=names.RANDOM, metric=tuple(ESTIMATORS))
    rows = rows.assign(value=1 - rows["value"], lost=(1 - rows["delta"].astype(float)).round(6))
    rows, by = rows[rows["lost"].between(LEAST_LOST, MOST_LOST)], ["probe", "metric", "lost"]
    pooled = summarize(rows[rows["repeat"].isna()], by)
    of_draws = summarize(rows[rows["repeat"].notna()], by).set_index(by)[["low", "high", "n"]]
    return pooled.drop(columns=of_draws.columns).join(of_draws, on=by)


def plot_redundancy(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of dimensions needed against the share of accuracy that may be lost, by both estimators."""
    ax = begin(ax, summary, ("metric", "lost", "mean", "low", "high", "n"), what="plot_redundancy")
    probe = one_value(summary, "probe", what="plot_redundancy")
    one_value(summary, "method", what="plot_redundancy")
    for metric, look in looks(ESTIMATORS, summary["metric"]).items():
        line(ax, where(summary, metric=metric), x="lost", look=look)
        if look.dash != "-":  # where both agree the other shows through
            ax.lines[-1].set_markerfacecolor("white")
    percent_ticks(ax, "y")
    percent_axis(ax, summary["lost"])
    style.percent_places(ax, LOSSES)
    ax.set_xlim(MOST_LOST * 1.1, min(LOSSES) * 0.9)  # what is stricter stands further right
    ax.set_ylim(-0.03, 1.03)
    title = f"{probe_words(probe)}bands: {interval_name(summary)}"
    x = "accuracy that may be lost (% of the full layer's, log scale)"
    return finish(ax, title=title, x=x, y="dimensions needed (%)", columns=1)


def describe_redundancy(summary: pd.DataFrame) -> str:
    """Return `plot_redundancy` in words."""
    first, nearest = (where(summary, metric=m).set_index("lost")["mean"] for m in (names.FIRST, names.NEAREST))
    parts = [
        f"{percent(lost)} lost, {percent(first[lost])} needed ({percent(nearest[lost])} by the nearest fraction)"
        for lost in LOSSES
        if lost in first
    ]
    return (
        "Line chart of the share of dimensions needed against the share of the full accuracy that may be lost: "
        f"{'; '.join(parts)}."
    )


def similarities(table: pd.DataFrame) -> pd.DataFrame:
    """Return every debiased CKA and reference by share of the dimensions; intervals are over draws, not over rows."""
    rows = table[table["metric"] != names.BIASED]
    return summarize(rows.assign(low=np.nan, high=np.nan), ["method", "metric", "fraction"])


def plot_similarity(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw linear CKA of random subsets with the layer and with each other, and what no redundancy would give."""
    columns = ("method", "metric", "fraction", "mean", "low", "high", "n")
    ax = begin(ax, summary, columns, what="plot_similarity", size=(5.8, 4.8))
    measured = [key for key, look in SIMILARITIES.items() if look.marker]
    style.lines(ax, summary, SIMILARITIES, by=["method", "metric"], x="fraction", banded=measured)
    percent_axis(ax, summary["fraction"])
    ax.set_ylim(-0.03, 1.03)
    title = f"linear CKA, debiased; bands: {interval_name(where(summary, method=names.WHOLE))}"
    return finish(ax, title=title, x=KEPT, y="CKA")


def describe_similarity(summary: pd.DataFrame) -> str:
    """Return `plot_similarity` in words."""
    rows, parts = _nearest(summary, ["method", "metric"]), []
    for key, look in looks(SIMILARITIES, rows).items():
        parts.append(f"{look.words} {rows[key]['mean']:.3f}")
    share = _share(rows)
    return (
        f"Line chart of linear CKA against the share of dimensions kept, rising to 1. At {share}: {'; '.join(parts)}."
    )


accuracy = Figure(accuracy_by_method, plot_accuracy, describe_accuracy, finding=findings.accuracy)
probes = Figure(probe_accuracy, plot_probes, describe_probes, finding=findings.probes)
regulariser = Figure(chosen_regulariser, plot_regulariser, describe_regulariser, finding=findings.regulariser)
redundancy = Figure(needed_by_loss, plot_redundancy, describe_redundancy, finding=findings.redundancy)
similarity = Figure(similarities, plot_similarity, describe_similarity, finding=findings.similarity)


def _method_lines(ax: Axes, summary: pd.DataFrame, *, banded: tuple[str, ...] = (), apart: bool = False) -> None:
    """Draw a line a method, in the legend the most accurate first; `apart` moves projections off one another."""
    parts = _of_subsets(summary)
    projections = [name for name in COMPARATORS if apart and COMPARATORS[name].draws == "n_projections"]
    order = sorted(_nearest(parts).items(), key=lambda item: -item[1]["mean"])
    known = looks(METHODS, parts["method"])
    for method, _ in order:
        rows, look = where(parts, method=method), known[method]
        turn = projections.index(method) - 1 if method in projections else 0
        line(ax, rows.assign(fraction=rows["fraction"] * 1.13**turn), x="fraction", look=look, band=method in banded)
        if method in projections:
            ax.lines[-1].set(markerfacecolor="white", markersize=6, linewidth=0.8, zorder=3)
    _full_line(ax, summary)
    for constant in where(summary, method=names.MAJORITY)["mean"]:
        ax.axhline(float(constant), color=GREY, linestyle=":", linewidth=1.4, label="commonest class")
    percent_axis(ax, parts["fraction"])


def _of_subsets(summary: pd.DataFrame) -> pd.DataFrame:
    return summary[~summary["method"].isin([names.FULL, names.MAJORITY])]


def _full_line(ax: Axes, summary: pd.DataFrame, *, colour: str = GREY, label: str = "full layer") -> None:
    full = where(summary, method=names.FULL)
    if len(full):
        ax.axhline(float(full["mean"].iloc[0]), color=colour, linestyle="--", linewidth=1.4, label=label)


def _nearest(summary: pd.DataFrame, by: str | list[str] = "method") -> dict[Any, pd.Series]:
    """Return the row of every method at the share nearest to that of the finding."""
    return {key: style.nearest(rows, names.FRACTION) for key, rows in summary.groupby(by)}


def _share(rows: dict[Any, pd.Series]) -> str:
    return percent(next(iter(rows.values()))["fraction"])


def _whole(summary: pd.DataFrame) -> str:
    return f"{100 * float(where(summary, method=names.FULL)['mean'].iloc[0]):.1f} %"
