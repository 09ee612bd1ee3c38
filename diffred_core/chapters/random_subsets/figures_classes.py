"""Figures and a table of how accuracy is spread over the classes: two measures of inequality, and class by class.

Every ``plot_*`` takes the summary above it, and refuses one that is empty, lacks a column or mixes probes (InputError).
"""

from __future__ import annotations

from functools import partial

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from diffred_core.chapters.random_subsets import findings, names
from diffred_core.chapters.random_subsets.figures import METHODS, probe_words
from diffred_core.drawing import Figure, Table, looks, style
from diffred_core.drawing.style import GREY, begin, finish, one_value, percent_ticks
from diffred_core.results import summarize, where
from diffred_core.results.claims import percent

MEASURES = {names.GINI: "Gini coefficient", names.VARIATION: "coefficient of variation"}
NULL = "chance alone, one draw"
SHOWN_CLASSES = 40  # more do not fit on a page at a size that can be read
TABLE_FRACTIONS = (0.05, 0.1, 0.2, 0.5, 1.0)
COLUMNS = ("probe", "label", "fraction", "mean", "loss", "place", "n_classes")


def accuracy_and_inequality(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy, both measures of inequality and the null of the first, by method and share of dimensions.

    Classes are averaged over draws, as published; the null is of single draws, and its mean over them.
    """
    metrics = (names.ACCURACY, *MEASURES, names.GINI_NULL)
    rows = where(table, probe=names.HEADLINE, metric=metrics)
    rows = rows[~rows["metric"].isin(MEASURES) | rows["repeat"].isna()]
    both = summarize(rows, ["method", "probe", "fraction", "metric"])
    wide = both.pivot(index=["method", "probe", "fraction"], columns="metric", values="mean")
    return wide.rename_axis(columns=None).reset_index()


def plot_inequality(points: pd.DataFrame, *, measure: str = names.GINI, ax: Axes | None = None) -> Axes:
    """Draw a measure of inequality over classes against accuracy, one point a subset size; of Gini its null too."""
    ax = begin(ax, points, ("method", "probe", names.ACCURACY, measure), what=f"plot_{measure}")
    probe = one_value(points, "probe", what=f"plot_{measure}")
    full, parts = where(points, method=names.FULL), points[points["method"] != names.FULL]
    for method, look in looks(METHODS, parts["method"]).items():
        rows = where(parts, method=method)
        ax.plot(rows[names.ACCURACY], rows[measure], look.marker, color=look.colour, label=look.words, markersize=5)
    if len(full):
        ax.plot(full[names.ACCURACY], full[measure], "*", color=GREY, markersize=13, label="full layer")
    if measure == names.GINI and names.GINI_NULL in points:
        rows = where(parts, method=names.RANDOM).sort_values(names.ACCURACY)
        ax.plot(rows[names.ACCURACY], rows[names.GINI_NULL], ":", color=GREY, lw=1.6, label=NULL)
    ax.set_ylim(bottom=0)
    percent_ticks(ax, "x")
    ax.yaxis.set_major_formatter("{x:g}")
    title = f"{probe_words(probe)}one point a size, mean over draws"
    return finish(ax, title=title, x="test accuracy (%)", y=f"{MEASURES[measure]} over classes")


def describe_inequality(points: pd.DataFrame, *, measure: str = names.GINI) -> str:
    """Return `plot_inequality` in words."""
    random = where(points, method=names.RANDOM).sort_values(names.ACCURACY)
    low, high = random.iloc[0], random.iloc[-1]
    chance = ""
    if measure == names.GINI and names.GINI_NULL in points:
        chance = f" Equally accurate classes would show {low[names.GINI_NULL]:.3f} and {high[names.GINI_NULL]:.3f}."
    return (
        f"Dot chart of the {MEASURES[measure]} of class accuracies against accuracy. Random subsets go from "
        f"{low[measure]:.3f} at accuracy {100 * low[names.ACCURACY]:.1f} % to {high[measure]:.3f} at "
        f"{100 * high[names.ACCURACY]:.1f} %.{chance}"
    )


def inequality_by_size(table: pd.DataFrame) -> pd.DataFrame:
    """Return both measures beside accuracy and null for random subsets and the full layer, at a few sizes."""
    points = accuracy_and_inequality(table)
    rows = where(points, method=(names.RANDOM, names.FULL), fraction=TABLE_FRACTIONS).sort_values("fraction")
    named = {names.ACCURACY: "accuracy", names.GINI: "Gini", names.GINI_NULL: "by chance", names.VARIATION: "CV"}
    shares = rows["fraction"].map(percent)
    wide = rows.assign(dimensions=shares, **{names.ACCURACY: 100 * rows[names.ACCURACY]})
    return wide[["method", "probe", "dimensions", *named]].rename(columns=named)


def class_accuracy(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of every class by share kept, mean over random subsets, the class that loses most first.

    Returns
    -------
    DataFrame
        Columns probe, label, fraction (1 is the full layer), mean, loss (of the class at the share nearest to that of
        the finding), place (by falling loss, from 1) and n_classes.
    """
    rows = where(table, probe=names.HEADLINE, method=(names.RANDOM, names.FULL), metric=names.CLASS_ACCURACY)
    means = summarize(rows, ["probe", "label", "fraction"])[["probe", "label", "fraction", "mean"]]
    wide = means.pivot(index="label", columns="fraction", values="mean")
    at = style.nearest(means[means["fraction"] < 1], names.FRACTION)["fraction"]
    loss = (wide[1.0] - wide[at]).sort_values(ascending=False, kind="stable")
    places = pd.Series(range(1, len(loss) + 1), index=loss.index)
    return means.assign(
        loss=means["label"].map(loss), place=means["label"].map(places), n_classes=len(loss)
    ).sort_values(["place", "fraction"], ignore_index=True)


def plot_classes(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a heat map of accuracy, one row a class and one column a share; of many classes both ends of the order."""
    style.require(summary, COLUMNS, what="plot_classes")
    probe, shown = one_value(summary, "probe", what="plot_classes"), _shown(summary)
    cells = shown.pivot(index="place", columns="fraction", values="mean")
    labels = shown.drop_duplicates("place").set_index("place")["label"][cells.index]
    ax = style.axes_or_new(ax, size=(6.4, 1.9 + 0.24 * len(cells)))
    bar = {"label": "test accuracy (%)", "format": lambda value, _: f"{100 * value:g}"}
    sns.heatmap(cells, ax=ax, vmin=0, vmax=1, cmap="viridis", cbar_kws=bar, xticklabels=False, yticklabels=False)
    shares = [f"{100 * fraction:g}" for fraction in cells.columns]
    ax.set_xticks([i + 0.5 for i in range(len(shares))], shares, rotation=90, fontsize=9)
    # a class may be called anything: a dollar sign would begin a formula
    ax.set_yticks([i + 0.5 for i in range(len(labels))], labels, rotation=0, fontsize=9, parse_math=False)
    if len(cells) < _n_classes(summary):
        ax.axhline(SHOWN_CLASSES // 2, color="white", linewidth=4)
    title = f"{probe_words(probe)}greatest loss at the top{_left_out(summary)}"
    finish(ax, title=title, x="dimensions kept (%), 100 is the full layer", y="class", legend=False)
    ax.grid(visible=False)
    return ax


def describe_classes(summary: pd.DataFrame) -> str:
    """Return `plot_classes` in words."""
    full = where(summary, fraction=1.0).sort_values("place")
    lost = "; ".join(
        f"{row['label']} loses {which}, {100 * row['loss']:.1f} of {100 * row['mean']:.1f} points"
        for which, row in (("most", full.iloc[0]), ("least", full.iloc[-1]))
    )
    at = style.nearest(summary[summary["fraction"] < 1], names.FRACTION)["fraction"]
    return (
        f"Heat map of the accuracy of {_n_classes(summary)} classes by the share of dimensions kept, mean over random "
        f"subsets, by falling loss{_left_out(summary)}. With {percent(at)} of the dimensions {lost} with all of them."
    )


def _n_classes(summary: pd.DataFrame) -> int:
    return int(summary["n_classes"].iloc[0])


def _shown(summary: pd.DataFrame) -> pd.DataFrame:
    """Return all rows, or of more classes than there is room for those of the greatest and of the least loss."""
    most, half = _n_classes(summary), SHOWN_CLASSES // 2
    return summary if most <= SHOWN_CLASSES else summary[~summary["place"].between(half + 1, most - half)]


def _left_out(summary: pd.DataFrame) -> str:
    hidden = _n_classes(summary) - SHOWN_CLASSES
    return f"; {hidden} classes between are left out" if hidden > 0 else ""


def _of(measure: str) -> Figure:
    return Figure(
        accuracy_and_inequality,
        partial(plot_inequality, measure=measure),
        partial(describe_inequality, measure=measure),
        finding=partial(findings.inequality, measure=measure),
    )


inequality, variation = _of(names.GINI), _of(names.VARIATION)
classes = Figure(class_accuracy, plot_classes, describe_classes, finding=findings.classes)
inequality_table = Table(
    inequality_by_size,
    "Inequality over classes, averaged over draws as published: Gini coefficient, with what equally accurate classes "
    "would show in a single draw, and coefficient of variation (CV). Accuracy in percent. Dimensions: share kept.",
)
