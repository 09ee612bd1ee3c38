"""Figures of the chapter: what was simulated as points or lines with intervals over seeds, closed forms as lines."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from diffred_core.chapters.training import figures_scales, names
from diffred_core.chapters.training.compared import Compared, Line, Pair, measured
from diffred_core.drawing import Figure, Look, style
from diffred_core.drawing.ends import End, name_ends
from diffred_core.drawing.style import COLOURS, MARKERS
from diffred_core.results import summarize, where
from diffred_core.results.readable import value_words

SIZES = {1: (5.8, 3.8), 2: (2.9, 3.2), 4: (2.9, 2.6)}  # inches of a panel, by the number of panels up to that
PANEL_LETTERS = 27  # of a line of the title of a panel


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
    finding : Compared
        What its heading compares.
    series, panel : str
        Columns that tell curves, and panels, apart.
    along : str
        Column of the x axis.
    log : str
        Axes that are logarithmic: ``x``, ``y`` or ``xy``. On such a y axis means are geometric.
    shares : str
        Axes whose values are shares, shown in percent.
    x_of : mapping
        Words of the x axis by panel, where panels differ in it.
    ordered : bool
        The curves are of a rising quantity: so are their colours, from dark to light.
    """

    of: Mapping[str, object]
    x: str
    y: str
    title: str
    finding: Compared
    series: str = "label"
    panel: str = "recipe"
    along: str = "at"
    log: str = ""
    shares: str = ""
    x_of: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = False

    def figure(self) -> Figure:
        """Return the figure that a notebook shows."""
        summary, plot, words = partial(summary_of, self), partial(plot_curves, self), partial(describe_curves, self)
        return Figure(summary, plot, words, finding=partial(head_of, self))


def summary_of(curves: Curves, table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of every point over seeds with its interval, in columns panel, series, formula and x.

    Of a logarithmic y axis it is the geometric mean, and its interval that of the mean logarithm: it does not reach 0.
    """
    rows = where(table[table[curves.along].notna()], **curves.of)
    keys = {name: rows[column].fillna("") for name, column in (("panel", curves.panel), ("series", curves.series))}
    if curves.series == "method":
        keys["series"] = keys["series"].map(names.in_words)
    rows = rows.assign(**keys, formula=rows["method"] == names.THEORY, x=rows[curves.along].astype(float))
    if "y" in curves.log:
        rows = rows[rows["value"] > 0]
        rows = rows.assign(value=np.log(rows["value"].astype(float)))
    means = summarize(rows, ["panel", "series", "formula", "x"])
    means = means[means["n"] == means["n"].max()]  # what some seeds do not reach would be a mean over the fast ones
    if "y" in curves.log:
        means[["mean", "low", "high"]] = np.exp(means[["mean", "low", "high"]].astype(float))
    orders = {name: list(dict.fromkeys(rows[name])) for name in keys}
    places = {f"{name}_place": means[name].map(order.index) for name, order in orders.items()}
    return means.assign(**places).sort_values([*places, "x"], kind="stable").drop(columns=list(places))


def plot_curves(curves: Curves, summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a panel a setting, a colour and marker a series; a closed form is a line under its points.

    In one panel lines are named at their ends, else in a legend.
    """
    style.require(summary, ("panel", "series", "formula", "x", "mean", "low", "high"), what="figures.curves")
    panels = list(dict.fromkeys(summary["panel"]))
    columns = min(2, len(panels))
    size = SIZES[min((most for most in SIZES if most >= len(panels)), default=max(SIZES))]
    grid = style.panels(summary, size=size, col="panel", col_wrap=columns, col_order=panels)
    looks = _looks(list(dict.fromkeys(summary["series"])), ordered=curves.ordered)
    for (panel, series), rows in summary.groupby(["panel", "series"], sort=False):
        _draw(grid.axes_dict[panel], rows, looks[str(series)], banded=len(looks) <= style.MOST_BANDS)
    for place, (panel, axes) in enumerate(grid.axes_dict.items()):  # which share their y axis
        x = where(summary, panel=panel)["x"] if curves.x_of else summary["x"]
        figures_scales.scale(axes, x, summary, log=curves.log, shares=curves.shares)
        title = "" if len(panels) == 1 or curves.x_of else textwrap.fill(str(panel), PANEL_LETTERS)
        below = place >= len(panels) - columns
        style.finish(axes, title=title, x=curves.x_of.get(str(panel), curves.x * below), y="", legend=False)
    grid.figure.supylabel(curves.y, fontsize=style.TEXT["axes.labelsize"])
    _name(grid, summary, looks)
    return style.name_panels(grid, _title(curves, summary))


def describe_curves(curves: Curves, summary: pd.DataFrame) -> str:
    """Return `plot_curves` in words: where every curve begins and ends."""
    parts = []
    for (panel, series), rows in summary.groupby(["panel", "series"], sort=False):
        ends = rows if rows["formula"].all() else measured(rows)
        x, y = ([value_words(end[name], share=axis in curves.shares) for end in (ends.iloc[0], ends.iloc[-1])]
                for name, axis in (("x", "x"), ("mean", "y")))  # fmt: skip
        name = ", ".join(text for text in (str(panel) * (summary["panel"].nunique() > 1), str(series)) if text)
        parts.append(f"{name}: {y[0]} at {x[0]}, {y[1]} at {x[1]}")
    x_words = " or ".join(curves.x_of.values()) or curves.x
    return f"{_title(curves, summary)}. {curves.y} against {x_words}. {'; '.join(parts)}."


def head_of(curves: Curves, summary: pd.DataFrame) -> str:
    """Return the heading of a figure."""
    return curves.finding.sentence(summary, curves.shares)


def bridge(
    title: str,
    rule: str,
    words: str,
    *,
    than: tuple[Line, str] = (names.RANDOM, "random ones"),
    at: int = names.CLAIM_SIZE,
) -> Figure:
    """Return the figure of the bridge: accuracy of probes on what every rule keeps, against how many dimensions.

    Its heading compares a rule with another, each beside its words, at the number where claims are judged.
    """
    second, of_second = than
    heading = f"With {{x}} dimensions {words} reach {{value}}, {{than}} {of_second}"
    return Curves(
        of={"metric": names.ACCURACY},
        x="dimensions kept (log scale)",
        y="test accuracy (%)",
        title=title,
        finding=Pair(rule, second, at=at, words=heading),
        series="method",
        panel="layer",
        along="n_selected",
        log="x",
        shares="y",
    ).figure()


def _draw(ax: Axes, rows: pd.DataFrame, look: Look, *, banded: bool) -> None:
    points, formula = measured(rows), rows[rows["formula"]]
    if formula.empty:
        style.line(ax, points, x="x", look=look, band=banded, label="_")
        return
    ax.plot(formula["x"], formula["mean"], color=look.colour, linewidth=1.6, zorder=1)
    reach = [points["mean"] - points["low"], points["high"] - points["mean"]]
    # open, so that one on another leaves both to be seen
    marks: dict[str, Any] = {"fmt": look.marker, "color": look.colour, "markerfacecolor": "none", "markersize": 5}
    ax.errorbar(points["x"], points["mean"], yerr=reach, capsize=2, elinewidth=1, **marks)


def _name(grid: sns.FacetGrid, summary: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Name the lines of one panel at their ends; give those of several what the legend shows, in their order."""
    if len(looks) == 1:
        return
    if len(grid.axes_dict) == 1:
        last = summary.groupby("series", sort=False).tail(1).set_index("series")
        ends = [End(look, last.loc[name, "x"], last.loc[name, "mean"]) for name, look in looks.items()]
        name_ends(grid.axes.flat[0], ends)
        return
    for look in looks.values():
        grid.axes.flat[0].plot([], [], color=look.colour, marker=look.marker, markersize=5, label=look.words)


def _title(curves: Curves, summary: pd.DataFrame) -> str:
    points = measured(summary)
    lines = "; lines of open marks: closed form" if len(points) < len(summary) else ""
    mean = "geometric means, " if "y" in curves.log else ""
    with_bars = set(summary["panel"][summary["formula"]])
    many = summary["series"].nunique() > style.MOST_BANDS and set(points["panel"]) > with_bars
    bands = "; of more than 4 lines no bands" if many else ""
    interval = style.interval_name(points, over="seeds").replace(" % t ", "\u00a0%\u00a0t\u00a0")
    return f"{curves.title}{lines} ({mean}{interval}{bands})"


def _looks(series: list[str], *, ordered: bool) -> dict[str, Look]:
    # the lightest of the map is too light on white
    colours = sns.color_palette("viridis", len(series) + 1).as_hex()[:-1] if ordered else COLOURS
    return {
        name: Look(name, colours[i % len(colours)], MARKERS[i % len(MARKERS)], "-") for i, name in enumerate(series)
    }
