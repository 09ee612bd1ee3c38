"""Few shots, one row a method: what every mask gains, and how well importances agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from diffred_core import results
from diffred_core.chapters.few_shots import findings
from diffred_core.chapters.few_shots.names import EUCLIDEAN, IMPORTANCES, MASK_BASES, MASK_METHODS, OF_VIEWS, plural
from diffred_core.chapters.few_shots.reading import at_first_recipe, headline
from diffred_core.drawing import Figure, Look
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, axes_or_new, finish, interval_name, one_value, require
from diffred_core.results import where

PROTOTYPES = {
    EUCLIDEAN: Look("plain prototypes", "#0072B2", "o"),
    OF_VIEWS[EUCLIDEAN]: Look("prototypes of views", "#D55E00", "s"),
}


def dots_by_shots(ax: Axes, rows: pd.DataFrame, names: Sequence[str], *, x: str, points: bool = False) -> Axes:
    """Put the rows at the places of their `name`, one colour and marker a number of shots; zero is marked in points."""
    places = {name: place for place, name in enumerate(names)}
    shots = sorted(rows["n_shot"].unique())
    for i, (n_shot, colour, marker) in enumerate(zip(shots, cycle(COLOURS), cycle(MARKERS), strict=False)):
        part = where(rows, n_shot=n_shot)
        at = part["name"].map(places) + 0.16 * (i - (len(shots) - 1) / 2)
        _dots(ax, part, at, look=Look(plural(n_shot, "shot"), colour, marker), size=6)
    _name_rows(ax, list(places))
    ax.set_ylim(len(names) - 0.5, -0.5)
    if points:
        ax.axvline(0, color=GREY, linewidth=1)
        _points_axis(ax)
    return finish(ax, title=f"bars: {interval_name(rows, over='episodes')}", x=x, y="")


def gain_in_words(row: pd.Series) -> str:
    """Return a gain with its interval in points."""
    return f"{100 * row['mean']:+.1f} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"


def _masks(table: pd.DataFrame) -> pd.DataFrame:
    """Return the gain of every mask over none at the headline setting, by the prototypes (column probe)."""
    rows = headline(table, probe=tuple(PROTOTYPES))
    rows = rows[rows["method"].isin(MASK_METHODS)]
    return results.summarize(rows, ["n_way", "n_shot", "method", "label", "probe"], metric="gain")


def _plot_masks(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what every mask gains over no mask at the same prototypes, one row a mask, zero marked."""
    require(summary, ("method", "label", "probe", "mean", "low", "high", "n"), what="figures.masks")
    for column in ("n_way", "n_shot"):
        one_value(summary, column, what="figures.masks")
    rows = _named(summary, MASK_METHODS)
    places = {name: place for place, name in enumerate(rows["name"].unique())}
    ax = axes_or_new(ax, size=(6.4, 2.0 + 0.28 * len(places)))
    ax.axvline(0, color=GREY, linewidth=1)
    for shift, (probe, look) in zip((-0.14, 0.14), PROTOTYPES.items(), strict=True):
        part = where(rows, probe=probe)
        if len(part):
            _dots(ax, part, part["name"].map(places) + shift, look=look, size=5)
    _name_rows(ax, list(places))
    ax.invert_yaxis()
    _points_axis(ax)
    title = f"bars: {interval_name(summary, over='episodes')}"
    return finish(ax, title=title, x="gain over no mask (points of accuracy)", y="")


def _masks_in_words(summary: pd.DataFrame) -> str:
    rows = _named(where(summary, probe=EUCLIDEAN), MASK_METHODS)
    parts = [f"{row['name']} {gain_in_words(row)}" for _, row in rows.iterrows()]
    return f"Dot chart of the gain of every mask over no mask, with plain prototypes, in points: {'; '.join(parts)}."


def _agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rank correlation of every importance with that of the oracle without queries, by shots."""
    rows = at_first_recipe(table)
    rows = rows[rows["probe"].isna()]  # other formulas of importance have one
    return results.summarize(rows, ["method", "label", "n_shot"], metric="rank_correlation")


def _plot_agreement(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the rank correlation of every importance with that of the oracle without queries, one row an importance."""
    require(summary, ("method", "label", "n_shot", "mean", "low", "high", "n"), what="figures.agreement")
    rows = _named(summary, IMPORTANCES)
    names = list(rows["name"].unique())
    ax = axes_or_new(ax, size=(5.8, 1.9 + 0.36 * len(names)))
    dots_by_shots(ax, rows, names, x="rank correlation with the oracle")
    ax.set_xlim(min(0.0, float(summary["low"].min()) - 0.03), 1.03)
    return ax


def _agreement_in_words(summary: pd.DataFrame) -> str:
    rows = _named(summary, IMPORTANCES)
    parts = [f"{row['name']} {row['mean']:.2f} ({plural(row['n_shot'], 'shot')})" for _, row in rows.iterrows()]
    return f"Dot chart of rank correlations with the oracle that does not see the queries: {'; '.join(parts)}."


def _named(summary: pd.DataFrame, words: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows with method and label in words as column name, by label and then in the order of `words`.

    What is not known comes last, in its own letters.
    """
    orders = {"label": ("", *MASK_BASES), "method": tuple(words)}

    def places(column: pd.Series) -> pd.Series:
        known = {name: place for place, name in enumerate(orders[str(column.name)])}
        return column.map(known).fillna(len(known))

    rows = summary.assign(label=summary["label"].fillna("")).sort_values(list(orders), key=places, kind="stable")
    methods = rows["method"].map(lambda method: words.get(method, method.replace("_", " ")))
    return rows.assign(name=methods + rows["label"].map(lambda label: label and f", {MASK_BASES.get(label, label)}"))


def _dots(ax: Axes, rows: pd.DataFrame, at: pd.Series, *, look: Look, size: int) -> None:
    reach = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
    about: dict[str, Any] = {"color": look.colour, "label": look.words, "capsize": 2, "markersize": size}
    ax.errorbar(rows["mean"], at, xerr=reach, fmt=look.marker, **about)


def _name_rows(ax: Axes, names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", labelsize=9)


def _points_axis(ax: Axes) -> None:
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))


masks = Figure(
    _masks, _plot_masks, _masks_in_words, finding=lambda summary: findings.masks(_named(summary, MASK_METHODS))
)
agreement = Figure(
    _agreement,
    _plot_agreement,
    _agreement_in_words,
    finding=lambda summary: findings.agreement(_named(summary, IMPORTANCES)),
)
