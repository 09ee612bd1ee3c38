"""The figure and the table of as many features of every layer, and of all hidden units together."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.figures import layer_axis
from diffred_core.chapters.depth.reading import places
from diffred_core.drawing import Figure, Look, Table, style
from diffred_core.drawing.style import COLOURS, MARKERS, begin, finish, interval_name, line
from diffred_core.results import summarize, where

EMPTY = "No random subsets were asked for."
COLUMNS = ("method", "layer", "place", "n_selected", "mean", "low", "high", "n")


def accuracy_of_k(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of k random features by layer and k; of all hidden units with their own method."""
    rows = where(table, metric=names.ACCURACY_OF_K)
    if rows.empty:
        return rows
    means = summarize(rows, ["method", "layer", "n_selected"], metric=names.ACCURACY_OF_K)
    return means.merge(places(table)[["layer", "place"]], on="layer")


def plot_equal_number(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of k features by layer, one line a k, that of k of all hidden units dotted."""
    ax = begin(ax, summary, COLUMNS, what="plot_equal_number", size=(6.4, 5.2))
    of_layers, sizes = where(summary, method=names.OF_LAYER), sorted(summary["n_selected"].unique())
    for i, size in enumerate(sizes):
        look = Look(f"{size} features of a layer", COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        line(ax, where(of_layers, n_selected=size), x="place", look=look)
        hidden = where(summary, method=names.OF_ALL_HIDDEN, n_selected=size)
        if len(hidden):
            mean = float(hidden["mean"].iloc[0])
            ax.axhline(mean, color=look.colour, linestyle=":", linewidth=1.6, label=f"{size} of all hidden units")
    style.percent_ticks(ax)
    layer_axis(ax, of_layers)
    title = f"bands: {interval_name(of_layers, over='subsets')}" if of_layers["n"].max() > 1 else ""
    return finish(ax, title=title, x="", y="test accuracy (%)")


def describe_equal_number(summary: pd.DataFrame) -> str:
    """Return `plot_equal_number` in words."""
    parts = []
    for size, rows in summary.groupby("n_selected"):
        of_layers = where(rows, method=names.OF_LAYER).sort_values("place")
        first, last = of_layers.iloc[0], of_layers.iloc[-1]
        hidden = where(rows, method=names.OF_ALL_HIDDEN)["mean"]
        together = f", {100 * hidden.iloc[0]:.1f} % of all hidden units" if len(hidden) else ""
        parts.append(
            f"{size} features reach {100 * first['mean']:.1f} % of {first['layer']}, {100 * last['mean']:.1f} % of "
            f"{last['layer']}{together}"
        )
    return f"Line chart of the test accuracy of as many random features of every layer: {'; '.join(parts)}."


def leads_of_last(table: pd.DataFrame) -> pd.DataFrame:
    """Return by how many points the last layer leads as many features of every other, and of all together."""
    rows = where(table, metric=names.LAST_LEAD).sort_values("n_selected", kind="stable")
    compared = rows["layer"].where(rows["method"] == names.OF_LAYER, "all hidden units")
    leads = 100 * rows[["value", "low", "high"]].rename(columns={"value": "lead"})
    return pd.DataFrame({"features": rows["n_selected"], "compared with": compared}).join(leads)


accuracy = Figure(accuracy_of_k, plot_equal_number, describe_equal_number, empty=EMPTY)
lead = Table(
    leads_of_last,
    lambda rows: (
        "Points of test accuracy by which random features of the last layer lead as many of another, low and high by "
        "paired bootstrap over draws and test rows. Layers with fewer features are left out."
        if len(rows)
        else EMPTY
    ),
    digits=1,
)
