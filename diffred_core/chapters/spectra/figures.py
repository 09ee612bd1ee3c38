"""Figures of the chapter: measures against the share of the dimensions, a panel a measure, and the alignment curve."""

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
from diffred_core.chapters.spectra.reading import METHOD_WORDS, SHARES, WORDS, shown_as
from diffred_core.drawing import Figure, Look, looks, style
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, begin, finish, interval_name
from diffred_core.results import summarize, where
from diffred_core.results.claims import percent
from diffred_core.results.readable import readable, value_words

METHODS = {
    names.RANDOM: Look(METHOD_WORDS[names.RANDOM], COLOURS[0], MARKERS[0]),
    names.ROTATED: Look(METHOD_WORDS[names.ROTATED], COLOURS[1], MARKERS[1], "--"),
    names.UNTRAINED: Look(METHOD_WORDS[names.UNTRAINED], COLOURS[2], MARKERS[2]),
    names.SHUFFLED: Look(METHOD_WORDS[names.SHUFFLED], GREY, "", ":"),
}
OF_LABELS = METHODS | {names.RANDOM: replace(METHODS[names.RANDOM], words="true labels")}
LOGARITHMIC = {
    *(names.CDNV, names.NC1, names.GRADIENT_LEFT, names.PROBE_COMPLEXITY, names.COMPLEXITY),
    *(names.RANK_OF_SPAN, names.NUMERICAL_RANK, names.STABLE_RANK, names.RANKME, names.WARM_START),
}
RANGED = LOGARITHMIC | {names.TRANSVERSE, names.FLIPS}  # shares near 0: a t interval would reach below it
COLUMNS = ("method", "metric", "fraction", "mean", "low", "high", "n")
NO_DOMAIN = "No second domain was named; `shifted_tasks` names some."


def _by_share(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Return the mean of some metrics over draws, by method and share; of domains, by the other one (column label)."""
    rows = where(table, metric=tuple(metrics))
    if rows.empty:
        return pd.DataFrame(columns=[*COLUMNS, "label", "level"])
    summary = summarize(rows, ["metric", "method", "label", "fraction"])
    return _with_ranges(summary, rows)


def _with_ranges(summary: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return means of measures in `RANGED` with the range of their draws, without a level.

    A t interval around a mean of few draws that differ by orders of magnitude reaches below 0, where no such number is.
    """
    keys = ["metric", "method", "label", "fraction"]
    ends = rows.groupby(keys, dropna=False)["value"].agg(least="min", most="max").reset_index()
    both, ranged = summary.merge(ends, on=keys, how="left"), summary["metric"].isin(RANGED) & (summary["n"] > 1)
    both["low"], both["high"] = both["low"].mask(ranged, both["least"]), both["high"].mask(ranged, both["most"])
    both["level"] = both["level"].mask(ranged)
    return both.drop(columns=["least", "most"])


def _plot_panels(summary: pd.DataFrame, metrics: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw a panel a metric against the share of the dimensions kept, one line a method."""
    style.require(summary, COLUMNS, what="figures of spectra")
    shown = [metric for metric in metrics if metric in set(summary["metric"])]
    grid = style.panels(summary, size=(2.9, 2.7), col="metric", col_order=shown, col_wrap=2, sharey=False)
    for panel, metric in zip(grid.axes.flat, shown, strict=True):
        rows = where(summary, metric=metric)
        _lines(panel, rows)
        if metric in LOGARITHMIC and (rows["mean"] > 0).all():
            logarithmic_axis(panel, "y")
        if metric in SHARES:
            style.percent_ticks(panel)
        style.percent_axis(panel, rows["fraction"], fewer=True)
        finish(panel, title=shown_as(metric), x="dimensions kept (%)", y="", legend=False)
        style.small(panel)
    return style.name_panels(grid, _bands(where(summary, method=names.RANDOM)))


def _bands(rows: pd.DataFrame) -> str:
    """Return what the bands of the random part are."""
    straight, ranged = (rows[rows["metric"].isin(RANGED) == of] for of in (False, True))
    ranges = "range of draws" if ranged["low"].notna().any() else ""
    if straight.empty:
        return f"bands: {ranges}" if ranges else "one draw"
    return f"bands: {interval_name(straight)}{f', log scale: {ranges}' if ranges else ''}"


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
    """Return what a line of another domain is of: that domain, or a control in which domains mean nothing."""
    return f"{readable(other)}, domains mixed" if method == names.SHUFFLED else readable(other)


def _panel_words(summary: pd.DataFrame, metrics: Sequence[str]) -> str:
    """Return `_plot_panels` in words: every measure at the share of the claims, and of the whole layer."""
    parts = []
    for metric in metrics:
        rows = where(summary, metric=metric)
        if len(rows):
            parts.append(f"{WORDS[metric]}: {', '.join(_values(rows))}")
    share = style.nearest(summary, names.FRACTION)["fraction"]
    return f"Panels of measures against the share of the dimensions kept, at {percent(share)}. {'; '.join(parts)}."


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


def _curve_finding(summary: pd.DataFrame) -> str:
    """Return in how many directions half of the label energy lies, and of shuffled labels."""
    half = {}
    for method, rows in summary.groupby("method"):
        rows = rows.sort_values("n_selected")
        half[method] = int(rows.loc[rows["mean"] >= 0.5 * rows["mean"].max(), "n_selected"].iloc[0])
    floor = f", of shuffled labels in {half[names.SHUFFLED]:,}" if names.SHUFFLED in half else ""
    of = f"the first {half[names.RANDOM]:,} of {summary['n_selected'].max():,} directions"
    return f"Half of the label energy lies in {of}{floor}."


def _panels_finding(summary: pd.DataFrame, metric: str, template: str) -> str:
    """Return what one measure is in a random part and in the whole layer, in the words of a template."""
    rows = where(summary, metric=metric, method=names.RANDOM)
    if rows.empty:
        return "Not measured here."
    rows = rows[rows["label"].isna() | (rows["label"] == rows["label"].iloc[0])]
    part, whole = style.nearest(rows, names.FRACTION), rows.loc[rows["fraction"].idxmax()]
    values = {
        f"of_{at}": value_words(row["mean"], share=metric in SHARES) for at, row in (("part", part), ("whole", whole))
    }
    ratio = part["mean"] / whole["mean"] if whole["mean"] else float("nan")
    return template.format(share=percent(part["fraction"]), ratio=f"{ratio:.2f}", **values)


def _panels(*metrics: str, of: str, says: str, empty: str = "") -> Figure:
    return Figure(
        partial(_by_share, metrics=metrics),
        partial(_plot_panels, metrics=metrics),
        partial(_panel_words, metrics=metrics),
        empty,
        partial(_panels_finding, metric=of, template=says),
    )


alignment = Figure(_curve, _plot_curve, _curve_words, finding=_curve_finding)
labels = _panels(
    *(names.TOP_ENERGY, names.ENERGY, names.LABEL_CKA, names.TARGET_ALIGNMENT),
    of=names.TOP_ENERGY,
    says="Of the label energy the first directions of a random {share} hold {of_part}, of the layer {of_whole}.",
)
directions = _panels(
    *(names.RANK_OF_SPAN, names.NUMERICAL_RANK, names.RANKME, names.ENTROPY),
    of=names.NUMERICAL_RANK,
    says="The numerical rank of a random {share} is {of_part}, that of the layer {of_whole}.",
)
classes = _panels(
    *(names.SEPARATION, names.CDNV, names.NC1, names.DIMENSIONS),
    of=names.CDNV,
    says="Classes are {ratio} times as loose in a random {share} as in the layer (CDNV {of_part}, {of_whole}).",
)
collapse = _panels(
    *(names.NC2, names.NC3, names.NC4, names.DIVERSITY),
    of=names.NC4,
    says="Probe and nearest mean disagree on {of_part} of the images in a random {share}, {of_whole} in the layer.",
)
probe = _panels(
    *(names.ACCURACY, names.GRADIENT_LEFT, names.PROBE_COMPLEXITY, names.COMPLEXITY),
    of=names.ACCURACY,
    says="A ridge probe reaches {of_part} on a random {share} of the dimensions, {of_whole} on all.",
)
tail = _panels(
    *(names.TRANSVERSE, names.FLIPS),
    of=names.FLIPS,
    says="Noise in the tail turns {of_part} of the predictions on a random {share}, {of_whole} on the layer.",
)
domains = _panels(
    *(names.DISTANCE, names.WARM_START),
    of=names.DISTANCE,
    says="The domains lie {of_part} apart in a random {share}, {of_whole} in the layer (A-distance, 2 at most).",
    empty=NO_DOMAIN,
)
