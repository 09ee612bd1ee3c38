"""Diffused redundancy against the accuracy that must be kept."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.drawing.style import axes_or_new, finish, interval_name, line, one_value, percent_ticks, require

ESTIMATORS = {
    "diffused_redundancy_first": ("first fraction that reaches it", "#0072B2", "o", "-"),
    "diffused_redundancy_nearest": ("nearest fraction, as published", "#D55E00", "s", "--"),
}


def plot_redundancy(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of features that can be dropped against the share of accuracy to be kept, by both estimators.

    Parameters
    ----------
    summary : DataFrame
        From ``summarize(table, ["metric", "delta"])`` of the rows whose metric begins with ``diffused_redundancy``, of
        one method and probe. Lines are of the accuracy averaged over draws (the published order); bands, of the
        values of single draws.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If the summary lacks a column, is empty, or mixes probes or methods.
    """
    require(summary, ("metric", "delta", "mean", "low", "high", "n"), what="plot_redundancy")
    for column in ("probe", "method"):
        one_value(summary, column, what="plot_redundancy")
    ax = axes_or_new(ax)
    for metric, (label, colour, marker, dash) in ESTIMATORS.items():
        pooled, single = (summary[summary["metric"] == name] for name in (metric, f"{metric}_by_seed"))
        limits = single.set_index("delta")[["low", "high"]]
        rows = pooled.drop(columns=["low", "high"]).join(limits, on="delta")
        if len(rows):
            line(ax, rows, x="delta", label=label, colour=colour, marker=marker, dash=dash)
    percent_ticks(ax)
    ax.xaxis.set_major_formatter(ax.yaxis.get_major_formatter())
    ax.set_ylim(-0.03, 1.03)
    title = f"bands: {interval_name(summary)}"
    x = "accuracy to be kept (% of the full layer's)"
    return finish(ax, title=title, x=x, y="features that can go (%)", columns=1)
