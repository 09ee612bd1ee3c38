"""How unevenly the classes pay for a smaller subset."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.drawing.style import GREY, METHODS, axes_or_new, finish, percent_ticks, require


def plot_inequality(points: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the Gini coefficient of class accuracies against accuracy, one point a subset size.

    Parameters
    ----------
    points : DataFrame
        Columns method, accuracy, gini: the summaries of the two metrics side by side.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(points, ("method", "accuracy", "gini"), what="plot_inequality")
    ax = axes_or_new(ax)
    for method, (label, colour, marker) in METHODS.items():
        rows = points[points["method"] == method].sort_values("accuracy")
        if len(rows):
            ax.plot(rows["accuracy"], rows["gini"], color=colour, marker=marker, markersize=5, lw=1, label=label)
    full = points[points["method"] == "full"]
    if len(full):
        ax.plot(full["accuracy"], full["gini"], "*", color=GREY, markersize=13, label="full layer")
    ax.xaxis.set_major_formatter(ax.yaxis.get_major_formatter())
    ax.set_ylim(bottom=0)
    percent_ticks(ax)
    ax.xaxis.set_major_formatter(ax.yaxis.get_major_formatter())
    ax.yaxis.set_major_formatter("{x:g}")
    title = "one point a subset size, class accuracy averaged over draws"
    return finish(ax, title=title, x="test accuracy (%)", y="Gini coefficient over classes")
