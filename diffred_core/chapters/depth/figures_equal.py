"""The figure and the table of as many dimensions of every layer, and of all layers together."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.figures import SIZE, end_of, ends, layer_axis
from diffred_core.chapters.depth.reading import places
from diffred_core.drawing import Figure, Look, Table, style
from diffred_core.drawing.ends import End, name_ends
from diffred_core.drawing.style import COLOURS, MARKERS, begin, finish, interval_name, line
from diffred_core.results import summarize, where

EMPTY = "No random subsets were asked for."
COLUMNS = ("method", "layer", "place", "n_selected", "mean", "low", "high", "n")


def accuracy_of_k(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of k random dimensions by layer and k; of all layers together with their own method."""
    rows = where(table, metric=names.ACCURACY_OF_K)
    if rows.empty:
        return rows
    means = summarize(rows, ["method", "layer", "n_selected"], metric=names.ACCURACY_OF_K)
    return means.merge(places(table)[["layer", "place"]], on="layer")


def plot_equal_number(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of k dimensions by layer, one line a k, that of k of all layers together dotted."""
    ax = begin(ax, summary, COLUMNS, what="plot_equal_number", size=SIZE)
    of_layers, sizes, named = where(summary, method=names.OF_LAYER), sorted(summary["n_selected"].unique()), []
    for i, size in enumerate(sizes):
        look = Look(f"{size} of a layer", COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        rows = where(of_layers, n_selected=size)
        line(ax, rows, x="place", look=look)
        named.append(end_of(rows, look))
        hidden = where(summary, method=names.OF_ALL_HIDDEN, n_selected=size)
        if len(hidden):
            mean, together = float(hidden["mean"].iloc[0]), Look(f"{size} of all layers", look.colour, "", ":")
            ax.axhline(mean, color=look.colour, linestyle=":", linewidth=1.6, label=together.words)
            named.append(End(together, float(of_layers["place"].max()), mean))
    style.percent_ticks(ax)
    layer_axis(ax, of_layers)
    title = f"bands: {interval_name(of_layers, over='subsets')}" if of_layers["n"].max() > 1 else ""
    finish(ax, title=title, x="layer", y="test accuracy (%)", legend=False)
    name_ends(ax, named)
    return ax


def describe_equal_number(summary: pd.DataFrame) -> str:
    """Return `plot_equal_number` in words."""
    parts = []
    for size, rows in summary.groupby("n_selected"):
        of_layers = where(rows, method=names.OF_LAYER).sort_values("place")
        first, last = of_layers.iloc[0], of_layers.iloc[-1]
        hidden = where(rows, method=names.OF_ALL_HIDDEN)["mean"]
        together = f", {100 * hidden.iloc[0]:.1f} % of all layers together" if len(hidden) else ""
        parts.append(
            f"{size} dimensions reach {100 * first['mean']:.1f} % of {first['layer']}, {100 * last['mean']:.1f} % of "
            f"{last['layer']}{together}"
        )
    return f"Line chart of the test accuracy of as many random dimensions of every layer: {'; '.join(parts)}."


def equal_number_finding(summary: pd.DataFrame) -> str:
    """Return what the last layer reaches with the fewest dimensions, and how much more the best one does."""
    size = summary["n_selected"].min()
    _, best, last = ends(where(summary, method=names.OF_LAYER, n_selected=size))
    reached = f"With {size} dimensions the last layer reaches {100 * last['mean']:.1f} %"
    if best["place"] == last["place"]:
        return f"{reached}, more than any other."
    return f"{reached}, {best['layer']} {100 * (best['mean'] - last['mean']):.1f} points more."


def leads_of_last(table: pd.DataFrame) -> pd.DataFrame:
    """Return by how many points the last layer leads as many dimensions of every other, and of all together."""
    rows = where(table, metric=names.LAST_LEAD).sort_values("n_selected", kind="stable")
    compared = rows["layer"].where(rows["method"] == names.OF_LAYER, "all layers together")
    leads = 100 * rows[["value", "low", "high"]].rename(columns={"value": "lead"})
    return pd.DataFrame({"dimensions": rows["n_selected"], "compared with": compared}).join(leads)


accuracy = Figure(accuracy_of_k, plot_equal_number, describe_equal_number, EMPTY, equal_number_finding)
lead = Table(
    leads_of_last,
    lambda rows: (
        "Points of test accuracy by which random dimensions of the last layer lead as many of another, low and high by "
        "paired bootstrap over draws and test rows. Layers with fewer dimensions are left out."
        if len(rows)
        else EMPTY
    ),
    digits=1,
)
