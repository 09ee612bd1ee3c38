"""The figure of any measure of random parts of a layer: its curve, that of independent dimensions, the whole layer."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from diffred_core.chapters.random_subsets import names
from diffred_core.chapters.random_subsets.reading import measured_at
from diffred_core.drawing import Figure, Look, style
from diffred_core.drawing.style import COLOURS, begin, finish, interval_name
from diffred_core.results import summarize, where
from diffred_core.results.claims import percent

MEASURED = {
    names.RANDOM: Look("random part", COLOURS[0], "o"),
    names.SHUFFLED: Look("random part, dimensions made independent", COLOURS[1], "", ":"),
}
COLUMNS = ("metric", "method", "fraction", "mean", "low", "high", "n")


def by_share(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of the measure by method and share of the dimensions, with its interval over draws."""
    return summarize(table, ["metric", "method", "fraction"])


def plot_measure(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the measure against the share of dimensions kept, random parts and independent dimensions."""
    ax = begin(ax, summary, COLUMNS, what="plot_measure")
    metric = style.one_value(summary, "metric", what="plot_measure")
    curves, full = summary[summary["method"] != names.FULL], where(summary, method=names.FULL)["mean"]
    style.lines(ax, curves, MEASURED, by="method", x="fraction")
    ax.axhline(float(full.iloc[0]), color=style.GREY, linestyle="--", linewidth=1.4, label="whole layer")
    style.percent_axis(ax, curves["fraction"])
    if (summary["mean"] > 0).all():
        _log_values(ax)
    title = f"bands: {interval_name(where(summary, method=names.RANDOM))}"
    return finish(ax, title=title, x="dimensions kept (%, log scale)", y=f"{metric}".replace("_", " "), columns=1)


def _log_values(ax: Axes) -> None:
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())


def describe_measure(summary: pd.DataFrame) -> str:
    """Return `plot_measure` in words."""
    share, metric, values = measured_at(summary)
    return (
        f"Line chart of the {metric} against the share of dimensions kept. At {percent(share)} a random part has "
        f"{values[names.RANDOM]:.3g}, one of independent dimensions {values[names.SHUFFLED]:.3g}; the whole layer has "
        f"{values[names.FULL]:.3g}."
    )


def find_measure(summary: pd.DataFrame) -> str:
    """Return the heading of `plot_measure`."""
    share, metric, values = measured_at(summary)
    return (
        f"A random {percent(share)} has a {metric} of {values[names.RANDOM]:.3g}, the layer {values[names.FULL]:.3g}."
    )


measured = Figure(by_share, plot_measure, describe_measure, finding=find_measure)
