"""Accuracy, and the regulariser behind it, against the share of features kept."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.drawing.style import (
    GREY,
    METHODS,
    PROBES,
    axes_or_new,
    finish,
    interval_name,
    line,
    one_value,
    percent_axis,
    percent_ticks,
    require,
)


def plot_accuracy(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy against the share of features kept, one line a method; random subsets have a band.

    Parameters
    ----------
    summary : DataFrame
        From ``summarize(table, ["method", "fraction"], metric="accuracy")``, of one probe.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the summary lacks a column, is empty, or mixes probes.
    """
    require(summary, ("method", "fraction", "mean", "low", "high", "n"), what="plot_accuracy")
    probe = one_value(summary, "probe", what="plot_accuracy")
    ax = axes_or_new(ax)
    parts = summary[summary["method"] != "full"]
    for method, (label, colour, marker) in METHODS.items():
        rows = parts[parts["method"] == method]
        if len(rows):
            # one band only: six of them hide each other
            line(ax, rows, x="fraction", label=label, colour=colour, marker=marker, band=method == "random")
    _full_line(ax, summary)
    percent_axis(ax, parts["fraction"])
    percent_ticks(ax)
    kind = f"{PROBES[probe][0]} probe; " if probe in PROBES else ""
    title = f"{kind}band: {interval_name(parts[parts['method'] == 'random'])}"
    return finish(ax, title=title, x="features kept (%, log scale)", y="test accuracy (%)")


def plot_probes(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of random subsets against their share, one line a probe, its full layer dashed.

    Parameters
    ----------
    summary : DataFrame
        From ``summarize(table, ["method", "probe", "fraction"], metric="accuracy")``.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If the summary lacks a column or is empty.
    """
    require(summary, ("method", "probe", "fraction", "mean", "low", "high", "n"), what="plot_probes")
    ax = axes_or_new(ax)
    random = summary[summary["method"] == "random"]
    for probe, (label, colour, marker) in PROBES.items():
        rows = random[random["probe"] == probe]
        if len(rows):
            line(ax, rows, x="fraction", label=label, colour=colour, marker=marker)
            _full_line(ax, summary[summary["probe"] == probe], colour=colour, label=f"full layer, {probe}")
    percent_axis(ax, random["fraction"])
    percent_ticks(ax)
    title = f"random subsets; bands: {interval_name(random)}"
    return finish(ax, title=title, x="features kept (%, log scale)", y="test accuracy (%)")


def plot_regulariser(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the chosen regulariser against the share of features kept, one line a method.

    Parameters
    ----------
    summary : DataFrame
        From `summarize` by method and fraction, of a table whose values are the decimal logarithms of column l2.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If the summary lacks a column, is empty, or mixes probes.
    """
    require(summary, ("method", "fraction", "mean"), what="plot_regulariser")
    one_value(summary, "probe", what="plot_regulariser")
    ax = axes_or_new(ax)
    parts = summary[summary["method"] != "full"]
    for method, (label, colour, marker) in METHODS.items():
        rows = parts[parts["method"] == method]
        if len(rows):
            line(ax, rows, x="fraction", label=label, colour=colour, marker=marker, band=False)
    _full_line(ax, summary)
    percent_axis(ax, parts["fraction"])
    title = "chosen on validation rows, mean over draws"
    return finish(ax, title=title, x="features kept (%, log scale)", y="log10 of l2")


def _full_line(ax: Axes, summary: pd.DataFrame, *, colour: str = GREY, label: str = "full layer") -> None:
    full = summary[summary["method"] == "full"]
    if len(full):
        ax.axhline(float(full["mean"].iloc[0]), color=colour, linestyle="--", linewidth=1.4, label=label)
