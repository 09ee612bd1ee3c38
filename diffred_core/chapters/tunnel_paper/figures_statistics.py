"""The published statistics of the tunnel again: effects, slopes, resolution, and two column headings."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from diffred_core.drawing.style import COLOURS, GREY, MARKERS, axes_or_new, finish, one_value, require

UNITS = {
    "retained": "OOD performance retained (%)",
    "correlation": "ID/OOD correlation",
    "alignment": "ID/OOD alignment",
}
PREDICTORS = {
    "classes": "ID classes",
    "augmentations": "augmentation",
    "spatial_reduction": "spatial reduction",
    "resolution": "resolution",
    "stem": "stem",
    "architecture": "CNN vs ViT",
    "over_parameterisation": "over-parameterisation",
    "depth": "depth",
}
EFFECT_COLUMNS = (
    *("title", "metric", "gain", "low", "high", "level", "least", "most", "n_cells", "n_pairs"),
    *("delta", "p_value", "published_delta", "published_p"),
)
READINGS = {  # reading: label, colour, marker
    "exchanged": ("headings exchanged", COLOURS[0], MARKERS[0]),
    "same_place": ("as printed, matched by place", COLOURS[1], MARKERS[1]),
    "same_name": ("as printed, matched by name", COLOURS[2], MARKERS[2]),
}
_TITLE_WIDTH = 30  # characters
_LEAST = 1e-5  # smaller residuals are drawn here


def plot_effects(effects: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the effect of every factor on one metric: mean difference, its interval over pairs of networks, delta and p.

    Parameters
    ----------
    effects : DataFrame
        Rows of `tunnel_statistics.beside_published` of one metric.
    ax : Axes, optional
        Where to draw; by default a new figure, taller the more factors there are.

    Raises
    ------
    InputError
        If a column is missing, there is no row, or there are several metrics.
    """
    require(effects, EFFECT_COLUMNS, what="plot_effects")
    metric = one_value(effects, "metric", what="plot_effects")
    rows = effects.reset_index(drop=True)
    ax = axes_or_new(ax, size=(7.6, 1.9 + 0.5 * len(rows)))
    few, clear = rows["low"].isna(), (rows["low"] > 0) | (rows["high"] < 0)
    ax.axvline(0, color=GREY, linewidth=1)
    _bars(ax, rows[clear], ("low", "high"), fmt="o", colour=COLOURS[0], label="interval without zero")
    _bars(ax, rows[~clear & ~few], ("low", "high"), fmt="s", colour=COLOURS[1], label="interval with zero")
    _bars(ax, rows[few], ("least", "most"), fmt="D", colour=GREY, label="too few pairs: their range")
    ax.set_yticks(rows.index, [textwrap.fill(title, _TITLE_WIDTH) for title in rows["title"]])
    ax.tick_params(axis="y", labelsize=9)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    _note_cells(ax, rows)
    title = f"bars: {100 * rows['level'].iloc[0]:g} % bootstrap over pairs of networks"
    return finish(ax, title=title, x=f"change of {UNITS[str(metric)]}", y="", columns=3)


def plot_slopes(slopes: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the normalised SHAP slope of every predictor for each metric, published beside recomputed.

    Parameters
    ----------
    slopes : DataFrame
        From `tunnel_statistics.slopes`, with a column published.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(slopes, ("metric", "variable", "share", "share_low", "share_high", "published"), what="plot_slopes")
    ax = axes_or_new(ax, size=(6.6, 5.6))
    place = {name: i for i, name in enumerate(PREDICTORS)}
    ax.axvline(0, color=GREY, linewidth=1)
    for i, (metric, colour, marker) in enumerate(zip(UNITS, COLOURS, MARKERS, strict=False)):
        rows = slopes[slopes["metric"] == metric]
        if rows.empty:
            continue
        y = rows["variable"].map(place) + 0.25 * (i - 1)
        ax.hlines(y, rows["share_low"], rows["share_high"], color=colour, linewidth=4, alpha=0.35)
        ax.plot(rows["share"], y, marker, color=colour, markersize=5, label=UNITS[metric])
        ax.plot(rows["published"], y, marker, color=colour, markersize=10, fillstyle="none")
    ax.plot([], [], "o", color=GREY, markersize=10, fillstyle="none", label="published")
    ax.set_yticks(range(len(PREDICTORS)), list(PREDICTORS.values()))
    ax.set_ylim(len(PREDICTORS) - 0.5, -0.5)
    return finish(ax, title="bars: range over seeds", x="SHAP slope, share of the sum of absolute slopes", y="")


def plot_resolutions(networks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the performance retained against the training resolution, one line a network, with and without augmentation.

    Parameters
    ----------
    networks : DataFrame
        Rows of `tunnel_statistics.strengths` of networks trained at several resolutions.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(networks, ("network", "augmentation", "resolution", "retained"), what="plot_resolutions")
    ax = axes_or_new(ax)
    styles = zip(networks.groupby("network", sort=False), COLOURS, MARKERS, strict=False)
    for (network, own), colour, marker in styles:
        for augmentation, rows in own.groupby("augmentation"):
            rows = rows.sort_values("resolution")
            label = f"{network}, {'augmented' if augmentation else 'not augmented'}"
            dash = "-" if augmentation else "--"
            ax.plot(rows["resolution"], rows["retained"], dash, color=colour, marker=marker, label=label)
    ax.set_xscale("log", base=2)
    ax.set_xticks(sorted(networks["resolution"].unique()))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    title = "mean over eight OOD sets"
    return finish(ax, title=title, x="training resolution (pixels, log scale)", y=UNITS["retained"])


def plot_label_residuals(residuals: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how far accuracy and alignment disagree in every cell, for three readings of two column headings.

    Parameters
    ----------
    residuals : DataFrame
        From `tunnel_statistics.label_residuals`.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(residuals, ("reading", "position", "ood_set", "residual"), what="plot_label_residuals")
    ax = axes_or_new(ax, size=(5.8, 5.0))
    for i, (reading, (label, colour, marker)) in enumerate(READINGS.items()):
        rows = residuals[residuals["reading"] == reading]
        x = rows["position"] + 0.25 * (i - 1)
        y = rows["residual"].abs().clip(lower=_LEAST)
        ax.plot(x, y, marker, color=colour, markersize=4, alpha=0.6, linewidth=0, label=label)
    ax.axhline(0.0005, color=GREY, linestyle=":", label="half a unit of the last digit")
    names = residuals.groupby("position")["ood_set"].first()
    ax.set_xticks(names.index, names, rotation=35, ha="right")
    ax.set_yscale("log")
    return finish(ax, title="one point a network and OOD set", x="", y="|residual| (log scale)", columns=1)


def _bars(ax: Axes, rows: pd.DataFrame, ends: tuple[str, str], *, fmt: str, colour: str, label: str) -> None:
    if len(rows):
        reach = [rows["gain"] - rows[ends[0]], rows[ends[1]] - rows["gain"]]
        ax.errorbar(rows["gain"], rows.index, xerr=reach, fmt=fmt, color=colour, capsize=3, label=label)


def _note_cells(ax: Axes, rows: pd.DataFrame) -> None:
    """Write at the right of each comparison what is told over cells: their number, Cliff's delta and p."""
    for i, row in rows.iterrows():
        ax.annotate(
            f"{row['n_cells']} cells, {row['n_pairs']} pairs\n|δ| {abs(row['delta']):.3f}, p {row['p_value']:.1g}\n"
            f"printed: {_printed(row)}",
            xy=(1.01, i),
            xycoords=ax.get_yaxis_transform(),
            va="center",
            fontsize=8,
        )


def _printed(row: pd.Series) -> str:
    known = {"|δ|": (row["published_delta"], ".3f"), "p": (row["published_p"], ".3g")}
    return ", ".join(f"{name} {value:{form}}" for name, (value, form) in known.items() if pd.notna(value)) or "–"
