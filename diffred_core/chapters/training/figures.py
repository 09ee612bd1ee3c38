"""Figures of the chapter: what was simulated as points or lines with intervals over seeds, closed forms as lines."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from diffred_core.chapters.training import names
from diffred_core.drawing import Figure, Look, style
from diffred_core.drawing.style import COLOURS, MARKERS
from diffred_core.results import summarize, where

DASHES = ("-", "--", ":")
SIZES = {1: (6.4, 4.2), 2: (4.4, 3.6)}  # inches of a panel, by the number side by side
LETTERS = {1: 66, 2: 100}  # of a line of the title, likewise
FEW_DECADES = 50  # the greatest over the least value of an axis below which 2 and 5 are marked too
MOST_PLACES = 9  # that are marked each


@dataclass(frozen=True)
class Curves:
    """What a figure draws.

    Attributes
    ----------
    of : mapping
        Columns and values of the rows.
    x, y : str
        Words of the axes, with units.
    title : str
        What the intervals are of is put behind it.
    series, panel : str
        Columns that tell curves, and panels, apart.
    along : str
        Column of the x axis.
    log : str
        Axes that are logarithmic: ``x``, ``y`` or ``xy``.
    shares : str
        Axes whose values are shares, shown in percent.
    words : mapping
        Of panels, where the table's own names are not for readers.
    """

    of: Mapping[str, object]
    x: str
    y: str
    title: str
    series: str = "label"
    panel: str = "recipe"
    along: str = "at"
    log: str = ""
    shares: str = ""
    words: Mapping[str, str] = field(default_factory=dict)

    def figure(self) -> Figure:
        """Return the figure that a notebook shows."""
        return Figure(partial(summary_of, self), partial(plot_curves, self), partial(describe_curves, self))


def summary_of(curves: Curves, table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of every point over seeds with its interval, in columns panel, series, formula and x."""
    rows = where(table[table[curves.along].notna()], **curves.of)
    keys = {name: rows[column].fillna("") for name, column in (("panel", curves.panel), ("series", curves.series))}
    rows = rows.assign(**keys, formula=rows["method"] == names.THEORY, x=rows[curves.along].astype(float))
    means = summarize(rows, ["panel", "series", "formula", "x"])
    means = means[means["n"] == means["n"].max()]  # what some seeds do not reach would be a mean over the fast ones
    orders = {name: list(dict.fromkeys(rows[name])) for name in keys}
    places = {f"{name}_place": means[name].map(order.index) for name, order in orders.items()}
    return means.assign(**places).sort_values([*places, "x"], kind="stable").drop(columns=list(places))


def plot_curves(curves: Curves, summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a panel a setting, a colour and marker a series; a closed form is a line without marks over its points."""
    style.require(summary, ("panel", "series", "formula", "x", "mean", "low", "high"), what="figures.curves")
    panels = list(dict.fromkeys(summary["panel"]))
    columns = min(2, len(panels))
    grid = style.panels(summary, size=SIZES[columns], col="panel", col_wrap=columns, col_order=panels)
    looks = _looks(list(dict.fromkeys(summary["series"])))
    for panel, axes in grid.axes_dict.items():
        for series, rows in where(summary, panel=panel).groupby("series", sort=False):
            _draw(axes, rows, looks[str(series)], banded=len(looks) <= style.MOST_BANDS)
        _scale(axes, curves, summary)
        words = "" if len(panels) == 1 else curves.words.get(str(panel), str(panel))
        style.finish(axes, title=words, x=curves.x, y=curves.y, legend=False)
    return style.name_panels(grid, textwrap.fill(_title(curves, summary), LETTERS[columns]))


def describe_curves(curves: Curves, summary: pd.DataFrame) -> str:
    """Return `plot_curves` in words: where every curve begins and ends."""
    parts = []
    for (panel, series), rows in summary.groupby(["panel", "series"], sort=False):
        measured = rows[~rows["formula"]]
        ends = measured if len(measured) else rows
        first, last = ends.iloc[0], ends.iloc[-1]
        name = ", ".join(text for text in (curves.words.get(str(panel), str(panel)), str(series)) if text)
        parts.append(f"{name}: {first['mean']:.3g} at {first['x']:.4g}, {last['mean']:.3g} at {last['x']:.4g}")
    return f"{_title(curves, summary)}. {curves.y} against {curves.x}. {'; '.join(parts)}."


def bridge(title: str) -> Figure:
    """Return the figure of the bridge: accuracy of probes on what every rule keeps, against how many dimensions."""
    return Curves(
        of={"metric": names.ACCURACY},
        x="dimensions kept, log scale",
        y="test accuracy (%)",
        title=title,
        series="method",
        panel="layer",
        along="n_selected",
        log="x",
        shares="y",
        words={names.LAYER: ""},
    ).figure()


def _draw(ax: Axes, rows: pd.DataFrame, look: Look, *, banded: bool) -> None:
    measured, formula = rows[~rows["formula"]], rows[rows["formula"]]
    if formula.empty:
        style.line(ax, measured, x="x", look=look, band=banded)
        return
    ax.plot(formula["x"], formula["mean"], color=look.colour, linestyle=look.dash, linewidth=1.6, zorder=1)
    reach = [measured["mean"] - measured["low"], measured["high"] - measured["mean"]]
    marks: dict[str, Any] = {"fmt": look.marker, "color": look.colour, "markersize": 4.5, "capsize": 2, "elinewidth": 1}
    ax.errorbar(measured["x"], measured["mean"], yerr=reach, label=look.words, **marks)


def _scale(ax: Axes, curves: Curves, summary: pd.DataFrame) -> None:
    """Make the chosen axes logarithmic, with plain numbers; one that begins at 0 is linear up to its next place."""
    if "x" in curves.log:
        positive = summary["x"][summary["x"] > 0]
        if len(positive) < len(summary):
            ax.set_xscale("symlog", linthresh=positive.min())
            ax.set_xlim(left=0)
        else:
            ax.set_xscale("log")
    if "y" in curves.log:
        ax.set_yscale("log")
    for axis, values in ((getattr(ax, f"{n}axis"), summary[{"x": "x", "y": "mean"}[n]]) for n in curves.log):
        axis.set_major_formatter("{x:g}")
        few = values.min() > 0 and values.max() < FEW_DECADES * values.min()  # else the powers of ten are enough
        axis.set_minor_locator(LogLocator(subs=(2, 5) if few else (1.0,)))
        axis.set_minor_formatter("{x:g}" if few else NullFormatter())
    places = sorted(summary["x"].unique())
    if len(places) <= MOST_PLACES and all(place == int(place) for place in places):
        ax.set_xticks(places, [f"{place:g}" for place in places])
        ax.xaxis.set_minor_locator(NullLocator())
    style.percent_ticks(ax, curves.shares)


def _title(curves: Curves, summary: pd.DataFrame) -> str:
    measured = summary[~summary["formula"]]
    lines = "; lines through points with bars: closed form" if len(measured) < len(summary) else ""
    many = summary["series"].nunique() > style.MOST_BANDS and len(measured["panel"].unique()) > len(
        summary[summary["formula"]]["panel"].unique()
    )
    bands = "; of more than 4 lines no bands" if many else ""
    return f"{curves.title}{lines} ({style.interval_name(measured, over='seeds')}{bands})"


def _looks(names_of_series: list[str]) -> dict[str, Look]:
    n = len(COLOURS)
    return {
        name: Look(name, COLOURS[i % n], MARKERS[i % n], DASHES[i // n % len(DASHES)])
        for i, name in enumerate(names_of_series)
    }
