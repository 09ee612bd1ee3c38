"""Few shots, one row a method: what every mask gains, and how near importances are to each other."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from diffred_core.chapters.few_shots.figures_curves import ORDERS, in_points, shots_in_words
from diffred_core.drawing.style import (
    COLOURS,
    GREY,
    MARKERS,
    axes_or_new,
    cell_names,
    finish,
    interval_name,
    one_value,
    require,
)

KINDS = {  # of masks
    "importance": "R",
    "sqrt": "square root of R",
    "scaled": "R / spread",
    "theory": "theory",
    "theory_debiased": "theory, debiased",
    "mmc": "R / magnitude",
    "hard": "top 5 % (hard)",
    "inverse_spread": "1 / spread (control)",
}
KNOWLEDGE = {"views": "views", "shots": "shots alone", "oracle": "oracle"}
PROTOTYPES = {"original": ("plain prototypes", "#0072B2", "o"), "views": ("prototypes of views", "#D55E00", "s")}


def plot_masks(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what every mask gains over no mask at the same prototypes, one row a mask, zero marked.

    Parameters
    ----------
    summary : DataFrame
        From ``summarize_episodes(table, ["method", "label"], metric="gain")`` of the rows whose method begins with
        ``mask_``, or is ``simple_transform``; of one setting and classifier.
    ax : Axes, optional
        Where to draw; by default a new figure, taller the more masks there are.

    Raises
    ------
    InputError
        If the summary lacks a column, is empty, or mixes settings.
    """
    require(summary, ("method", "label", "mean", "low", "high", "n"), what="plot_masks")
    for column in ("n_way", "n_shot", "probe"):
        one_value(summary, column, what="plot_masks")
    names = mask_names(summary["method"])
    places = {method: place for place, method in enumerate(names)}
    ax = axes_or_new(ax, size=(6.4, 2.0 + 0.28 * len(names)))
    ax.axvline(0, color=GREY, linewidth=1)
    for shift, (label, (words, colour, marker)) in zip((-0.14, 0.14), PROTOTYPES.items(), strict=True):
        rows = summary[summary["label"] == label]
        if len(rows):
            at, reach = rows["method"].map(places) + shift, [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
            bars = {"xerr": reach, "fmt": marker, "color": colour, "capsize": 2, "markersize": 5}
            ax.errorbar(rows["mean"], at, label=words, **bars)
    ax.set_yticks(list(places.values()), list(names.values()))
    ax.tick_params(axis="y", labelsize=9)
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(FuncFormatter(in_points))
    title = f"bars: {interval_name(summary, over='episodes')}"
    return finish(ax, title=title, x="gain over no mask (points of accuracy)", y="")


def mask_names(methods: pd.Series) -> dict[str, str]:
    """Return the methods of masks with their readable names, in the order of a figure."""
    present = set(methods)
    every = {f"mask_{kind}_{who}": f"{KINDS[kind]}, {KNOWLEDGE[who]}" for who in KNOWLEDGE for kind in KINDS} | {
        "simple_transform": "simple transformation"
    }
    return {method: name for method, name in every.items() if method in present}


def plot_agreement(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the rank correlation of every importance with that of the oracle without queries, one row an importance.

    Parameters
    ----------
    summary : DataFrame
        From ``summarize_episodes(table, ["method", "n_shot"], metric="rank_correlation")``.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If the summary lacks a column or is empty.
    """
    require(summary, ("method", "n_shot", "mean", "low", "high", "n"), what="plot_agreement")
    names = {m: name for m, name in agreement_names().items() if m in set(summary["method"])}
    ax = axes_or_new(ax, size=(5.8, 1.9 + 0.36 * len(names)))
    rows = summary[summary["method"].isin(names)]
    _by_shots(ax, rows.assign(name=rows["method"].map(names)), list(names.values()))
    ax.set_xlim(min(0.0, float(summary["low"].min()) - 0.03), 1.03)
    title = f"bars: {interval_name(summary, over='episodes')}"
    return finish(ax, title=title, x="rank correlation with the oracle", y="")


def agreement_names() -> dict[str, str]:
    """Return who knows an importance, with readable names."""
    shrunk = {f"{who}_shrunk": f"{ORDERS[who][0]}, shrunk" for who in ("estimated_views", "estimated_shots")}
    return {who: label for who, (label, _, marker) in ORDERS.items() if marker} | shrunk


def plot_peaks(peaks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what the best share of the dimensions gains over all of them, one row a model and task.

    Parameters
    ----------
    peaks : DataFrame
        From `few_shot_across.peaks`.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(peaks, ("task", "model", "n_shot", "fraction", "mean", "low", "high", "n"), what="plot_peaks")
    rows = peaks.assign(name=cell_names(peaks))
    names = list(rows["name"].unique())
    ax = axes_or_new(ax, size=(5.8, 2.0 + 0.6 * len(names)))
    ax.axvline(0, color=GREY, linewidth=1)
    _by_shots(ax, rows, names)
    ax.xaxis.set_major_formatter(FuncFormatter(in_points))
    title = f"bars: {interval_name(peaks, over='episodes')}"
    return finish(ax, title=title, x="gain of the best share (points of accuracy)", y="")


def _by_shots(ax: Axes, rows: pd.DataFrame, names: Sequence[str]) -> None:
    """Put the rows at the places of their name, one colour and marker a number of shots."""
    places = {name: place for place, name in enumerate(names)}
    shots = sorted(rows["n_shot"].unique())
    for i, (n_shot, colour, marker) in enumerate(zip(shots, COLOURS, MARKERS, strict=False)):
        mine = rows[rows["n_shot"] == n_shot]
        at = mine["name"].map(places) + 0.16 * (i - (len(shots) - 1) / 2)
        bars = {"xerr": [mine["mean"] - mine["low"], mine["high"] - mine["mean"]], "capsize": 2, "markersize": 6}
        ax.errorbar(mine["mean"], at, fmt=marker, color=colour, label=shots_in_words(n_shot), **bars)
    ax.set_yticks(list(places.values()), list(places))
    ax.tick_params(axis="y", labelsize=9)
    ax.set_ylim(len(names) - 0.5, -0.5)
