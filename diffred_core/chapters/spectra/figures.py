"""Figures of the chapter: measures against the share of the features, a panel a measure, and the alignment curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.reading import METHOD_WORDS, WORDS
from diffred_core.drawing import Figure, Look, looks, style
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, begin, finish, interval_name
from diffred_core.results import summarize, where
from diffred_core.results.claims import percent

METHODS = {
    names.RANDOM: Look(METHOD_WORDS[names.RANDOM], COLOURS[0], MARKERS[0]),
    names.ROTATED: Look(METHOD_WORDS[names.ROTATED], COLOURS[1], MARKERS[1], "--"),
    names.UNTRAINED: Look(METHOD_WORDS[names.UNTRAINED], COLOURS[2], MARKERS[2]),
    names.SHUFFLED: Look(METHOD_WORDS[names.SHUFFLED], GREY, "", ":"),
}
OF_LABELS = METHODS | {names.RANDOM: replace(METHODS[names.RANDOM], words="true labels")}
LOGARITHMIC = {
    *(names.CDNV, names.NC1, names.GRADIENT_LEFT, names.PROBE_COMPLEXITY, names.COMPLEXITY),
    *(names.RANK_OF_SPAN, names.NUMERICAL_RANK, names.STABLE_RANK, names.RANKME),
}
COLUMNS = ("method", "metric", "fraction", "mean", "low", "high", "n")
NO_DOMAIN = "No second domain was named; `shifted_tasks` names some."


def _by_share(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Return the mean of some metrics over draws, by method and share; of domains, by the other one (column label)."""
    rows = where(table, metric=tuple(metrics))
    if rows.empty:
        return pd.DataFrame(columns=[*COLUMNS, "label", "level"])
    return summarize(rows, ["metric", "method", "label", "fraction"])


def _plot_panels(summary: pd.DataFrame, metrics: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw a panel a metric against the share of the features kept, one line a method."""
    style.require(summary, COLUMNS, what="figures of spectra")
    shown = [metric for metric in metrics if metric in set(summary["metric"])]
    grid = style.panels(summary, col="metric", col_order=shown, col_wrap=2, sharey=False)
    for panel, metric in zip(grid.axes.flat, shown, strict=True):
        rows = where(summary, metric=metric)
        _lines(panel, rows)
        if metric in LOGARITHMIC and (rows["mean"] > 0).all():
            logarithmic_axis(panel, "y")
        style.percent_axis(panel, rows["fraction"], fewer=True)
        finish(panel, title=WORDS[metric], x="features kept (%)", y="", legend=False)
    return style.name_panels(grid, f"bands: {interval_name(where(summary, method=names.RANDOM))}")


def logarithmic_axis(ax: Axes, which: str) -> None:
    """Make an axis logarithmic, with plain numbers: at every power of ten, or finer where it spans few."""
    axis = getattr(ax, f"{which}axis")
    decades = math.log10(axis.get_data_interval()[1] / axis.get_minpos())
    ax.set(**{f"{which}scale": "log"})
    subs = (1,) if decades > 3 else (1, 3) if decades > 1 else (1, 1.5, 2, 3, 5, 7)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _lines(panel: Axes, rows: pd.DataFrame) -> None:
    if rows["label"].notna().any():
        named = rows.assign(line=[_of_domain(row.method, row.label) for row in rows.itertuples()])
        style.lines(panel, named, {}, by="line", x="fraction")
    else:
        style.lines(panel, rows, METHODS, by="method", x="fraction", banded=(names.RANDOM,))


def _of_domain(method: str, other: str) -> str:
    return f"{other} at random" if method == names.SHUFFLED else other


def _panel_words(summary: pd.DataFrame, metrics: Sequence[str]) -> str:
    """Return `_plot_panels` in words: every measure at the share of the claims, and of the whole layer."""
    parts = []
    for metric in metrics:
        rows = where(summary, metric=metric)
        if len(rows):
            parts.append(f"{WORDS[metric]}: {', '.join(_values(rows))}")
    share = style.nearest(summary, names.FRACTION)["fraction"]
    return f"Panels of measures against the share of the features kept, at {percent(share)}. {'; '.join(parts)}."


def _values(rows: pd.DataFrame) -> list[str]:
    words = []
    for (method, other), of_line in rows.groupby(["method", "label"], dropna=False):
        name = METHOD_WORDS[method] if pd.isna(other) else _of_domain(method, other)
        whole = where(of_line, fraction=1.0)["mean"]
        at_end = f" ({whole.iloc[0]:.3g} of the whole layer)" if len(whole) and method != names.SHUFFLED else ""
        words.append(f"{name} {style.nearest(of_line, names.FRACTION)['mean']:.3g}{at_end}")
    return words


def _curve(table: pd.DataFrame) -> pd.DataFrame:
    rows = where(table, metric=names.CURVE)
    return rows.drop(columns="value").assign(mean=rows["value"], low=np.nan, high=np.nan, n=1)


def _plot_curve(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of the label energy in the leading directions of the whole layer."""
    ax = begin(ax, summary, ("method", "n_selected", "mean", "low", "high"), what="figures.alignment")
    style.lines(ax, summary, OF_LABELS, by="method", x="n_selected")
    logarithmic_axis(ax, "x")
    style.percent_ticks(ax)
    title = "the whole layer, training images"
    return finish(ax, title=title, x="leading directions (log scale)", y="label energy (%)")


def _curve_words(summary: pd.DataFrame) -> str:
    """Return `_plot_curve` in words."""
    parts = []
    for method, look in looks(OF_LABELS, summary["method"]).items():
        rows = where(summary, method=method).sort_values("n_selected")
        points = ", ".join(
            f"{100 * row.mean:.1f} % in {row.n_selected}" for row in rows.iloc[:: max(1, len(rows) // 4)].itertuples()
        )
        parts.append(f"{look.words} {points}, {100 * rows['mean'].iloc[-1]:.1f} % in all")
    return f"Line chart of the label energy in the leading directions, rising: {'; '.join(parts)}."


def _panels(*metrics: str, empty: str = "") -> Figure:
    return Figure(
        partial(_by_share, metrics=metrics),
        partial(_plot_panels, metrics=metrics),
        partial(_panel_words, metrics=metrics),
        empty,
    )


alignment = Figure(_curve, _plot_curve, _curve_words)
labels = _panels(names.TOP_ENERGY, names.ENERGY, names.LABEL_CKA, names.TARGET_ALIGNMENT)
directions = _panels(names.RANK_OF_SPAN, names.NUMERICAL_RANK, names.RANKME, names.ENTROPY)
classes = _panels(names.SEPARATION, names.CDNV, names.NC1, names.DIMENSIONS)
collapse = _panels(names.NC2, names.NC3, names.NC4, names.DIVERSITY)
probe = _panels(names.ACCURACY, names.GRADIENT_LEFT, names.PROBE_COMPLEXITY, names.COMPLEXITY)
tail = _panels(names.TRANSVERSE, names.FLIPS)
domains = _panels(names.DISTANCE, names.WARM_START, empty=NO_DOMAIN)
