"""Few shots along an axis: accuracy by the dimensions kept, gains by shots and classes, the bridge to full data."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from diffred_core.drawing.style import (
    GREY,
    axes_or_new,
    finish,
    interval_name,
    line,
    one_value,
    percent_axis,
    percent_ticks,
    require,
)

ORDERS = {  # name in the table: label, colour, marker
    "oracle_all": ("oracle", "#000000", "o"),
    "oracle_no_query": ("oracle without queries", "#0072B2", "s"),
    "oracle_disjoint": ("oracle, other images", "#56B4E9", "D"),
    "estimated_views": ("estimated, with views", "#D55E00", "^"),
    "estimated_shots": ("estimated, shots alone", "#E69F00", "v"),
    "random": ("random", "#009E73", "P"),
    "top_variance": ("top variance", "#CC79A7", "X"),
    "bottom": ("oracle, reversed", GREY, None),
}
ALONG = {
    "oracle_all": ("best share, by an oracle", "#000000", "o"),
    "mask_importance": ("mask R", "#0072B2", "s"),
    "mask_scaled": ("mask R / spread", "#D55E00", "^"),
    "mask_inverse_spread": ("mask 1 / spread (control)", "#009E73", "v"),
}
AXES = {"n_shot": "shots a class (log scale)", "n_way": "classes (log scale)"}
CHOSEN = {"random": "random", "top": "top by an oracle"}
BRIDGE = {  # who chose, and place among the numbers of shots, 0 for all training rows: colour, dash
    ("random", 0): ("#0072B2", "-"),
    ("random", 2): ("#56B4E9", "-"),
    ("random", 1): ("#56B4E9", ":"),
    ("top", 2): ("#D55E00", "-"),
    ("top", 1): ("#D55E00", ":"),
}


def plot_orders(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of episodes against the share of dimensions kept, one line an order, the full layer dashed.

    Parameters
    ----------
    summary : DataFrame
        From ``summarize_episodes(table, ["method", "fraction"], metric="accuracy")``, of one setting and classifier.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If the summary lacks a column, is empty, or mixes settings.
    """
    require(summary, ("method", "fraction", "mean", "low", "high", "n"), what="plot_orders")
    for column in ("n_way", "n_shot", "probe"):
        one_value(summary, column, what="plot_orders")
    ax = axes_or_new(ax, size=(5.8, 5.0))
    for method, (label, colour, marker) in ORDERS.items():
        rows = summary[summary["method"] == method]
        if len(rows):
            line(ax, rows, x="fraction", label=label, colour=colour, marker=marker, dash="-" if marker else ":")
    full = summary.loc[summary["fraction"] == 1.0, "mean"]
    ax.axhline(float(full.iloc[0]), color=GREY, linestyle="--", linewidth=1.4, label="all dimensions")
    percent_axis(ax, summary["fraction"])
    percent_ticks(ax)
    title = f"bands: {interval_name(summary, over='episodes')}"
    return finish(ax, title=title, x="dimensions kept (%, log scale)", y="accuracy (%)")


def plot_gains(summary: pd.DataFrame, *, x: str = "n_shot", ax: Axes | None = None) -> Axes:
    """Draw gains against the number of shots or of classes: of the best share of dimensions, and of masks.

    Parameters
    ----------
    summary : DataFrame
        Columns method (``oracle_all``, ``mask_importance``, ``mask_scaled``, ``mask_inverse_spread``), `x`, mean, low,
        high, n: from `few_shot_across.gains_along`.
    x : {"n_shot", "n_way"}
        What runs along the axis.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If the summary lacks a column or is empty.
    """
    require(summary, ("method", x, "mean", "low", "high", "n"), what="plot_gains")
    ax = axes_or_new(ax)
    for method, (label, colour, marker) in ALONG.items():
        rows = summary[summary["method"] == method]
        if len(rows):
            line(ax, rows.astype({x: float}), x=x, label=label, colour=colour, marker=marker)
    ax.axhline(0, color=GREY, linewidth=1)
    ax.set_xscale("log")
    ax.set_xticks(sorted(summary[x].astype(float).unique()))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(in_points))
    title = f"bands: {interval_name(summary, over='episodes')}"
    return finish(ax, title=title, x=AXES[x], y="gain (points of accuracy)", columns=1)


def plot_bridge(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy relative to all dimensions: random subsets at full data beside chosen ones at few shots.

    Parameters
    ----------
    summary : DataFrame
        Columns method (``random`` or ``top``), n_shot (empty for all training rows), fraction, mean, low, high: from
        `few_shot_across.bridge`; at most two numbers of shots.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If the summary lacks a column or is empty.
    """
    require(summary, ("method", "n_shot", "fraction", "mean", "low", "high", "n"), what="plot_bridge")
    ax = axes_or_new(ax, size=(5.8, 5.0))
    shots = sorted(int(n) for n in summary["n_shot"].dropna().unique())
    named = {0: "all training rows"} | {place: shots_in_words(n_shot) for place, n_shot in enumerate(shots, start=1)}
    at = summary["n_shot"].map({n_shot: place for place, n_shot in enumerate(shots, start=1)}).fillna(0)
    for (method, place), (colour, dash) in BRIDGE.items():
        rows = summary[(summary["method"] == method) & (at == place)]
        if len(rows):
            label = f"{CHOSEN[method]}, {named[place]}"
            line(ax, rows, x="fraction", label=label, colour=colour, marker="o", dash=dash)
    ax.axhline(0, color=GREY, linestyle="--", linewidth=1.4, label="all dimensions")
    percent_axis(ax, summary["fraction"])
    ax.yaxis.set_major_formatter(FuncFormatter(in_points))
    x = "dimensions kept (%, log scale)"
    return finish(
        ax, title="ridge probes; bands: 95 % intervals", x=x, y="accuracy less that of all (points)", columns=1
    )


def shots_in_words(n_shot: int) -> str:
    """Return the number of shots in words."""
    return f"{n_shot} shot" if n_shot == 1 else f"{n_shot} shots"


def in_points(value: float, _position: int) -> str:
    """Return a share of an axis in points."""
    return f"{100 * value:g}"
