"""Similarity of subsets against their share, beside what mere inclusion gives."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.drawing.style import GREY, axes_or_new, finish, interval_name, line, percent_axis, require

CURVES = {  # method, metric: label, colour, marker, dash
    ("subset_whole", "cka_debiased"): ("subset and layer", "#0072B2", "o", "-"),
    ("subset_subset", "cka_debiased"): ("two subsets", "#D55E00", "s", "-"),
    ("diagonal_null", "cka"): ("subset and layer, uncorrelated", "#0072B2", None, ":"),
    ("diagonal_null_pairs", "cka"): ("two subsets, uncorrelated", "#D55E00", None, ":"),
    ("permutation_null", "cka_debiased"): ("unrelated rows", GREY, None, "-."),
}


def plot_similarity(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw linear CKA of random subsets with the layer and with each other, and what no redundancy would give.

    Parameters
    ----------
    summary : DataFrame
        From ``summarize(table, ["method", "metric", "fraction"])`` of a subset_similarity table.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If the summary lacks a column or is empty.
    """
    require(summary, ("method", "metric", "fraction", "mean", "low", "high", "n"), what="plot_similarity")
    ax = axes_or_new(ax, size=(5.8, 4.8))
    for (method, metric), (label, colour, marker, dash) in CURVES.items():
        rows = summary[(summary["method"] == method) & (summary["metric"] == metric)]
        if len(rows):
            line(ax, rows, x="fraction", label=label, colour=colour, marker=marker, dash=dash, band=marker is not None)
    percent_axis(ax, summary["fraction"])
    ax.set_ylim(-0.03, 1.03)
    whole = summary[summary["method"] == "subset_whole"]
    title = f"linear CKA, debiased; bands: {interval_name(whole)}"
    return finish(ax, title=title, x="features kept (%, log scale)", y="CKA")
