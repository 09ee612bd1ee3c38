"""Figures of accuracy by layer, each plot beside the words that say it and the finding that heads it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.figures import COLUMNS, SIZE, end_of, ends, layer_axis
from diffred_core.chapters.depth.reading import by_layer, percent_range
from diffred_core.chapters.random_subsets.names import BASELINE, MAJORITY
from diffred_core.drawing import Figure, Look, style
from diffred_core.drawing.ends import End, name_ends
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, begin, finish, line
from diffred_core.results import where
from diffred_core.results.readable import readable

DESIGNS = {  # design: how it is named, dash
    names.IN_DISTRIBUTION: ("{task} (reference)", "--"),
    names.TRANSFER: ("{task}", "-"),
    names.SHIFT: ("{task}", ":"),
}
OWN, SHIFTED = "a probe for each task", "the reference's probe"  # what a figure of accuracies is of
START = next(iter(names.TUNNEL_STARTS))
SHADE, SHADED = "#E8E8E8", "tunnel, by the original rule"
COMMONEST = "commonest class of the task"
LEAST = 0.05  # points of accuracy: a smaller difference is none in a finding


def _accuracies(table: pd.DataFrame, designs: Sequence[str]) -> pd.DataFrame:
    """Return the accuracy of the reference and of `designs` by layer, the tunnel's start, and the commonest class."""
    rows = by_layer(table, [names.ACCURACY, START, BASELINE])
    return rows[(rows["metric"] != names.ACCURACY) | rows["method"].isin([names.IN_DISTRIBUTION, *designs])]


def _shifts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracies of the probe of the reference task; nothing where it met no shifted images."""
    rows = _accuracies(table, [names.SHIFT])
    return rows if names.SHIFT in set(rows["method"]) else rows.iloc[:0]


def _normalised(table: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of the accuracy figure, each divided by its greatest mean; the start of the tunnel as it is."""
    rows = _accuracies(table, [names.TRANSFER])
    rows = rows[rows["metric"] != BASELINE]
    numbers, of_line = ["mean", "low", "high"], rows.groupby(["method", "task", "metric"])["mean"]
    best = of_line.transform("max").where(rows["metric"] == names.ACCURACY, 1.0)
    return rows.assign(**rows[numbers].astype(float).div(best, axis=0))


def plot_accuracy(
    summary: pd.DataFrame, *, y: str = "test accuracy (%)", of: str = OWN, ax: Axes | None = None
) -> Axes:
    """Draw probe accuracy by layer, one line a task, named at its end; bands are intervals over test rows.

    A dotted line of the same colour is what always giving the commonest class of the task reaches. From the layer on
    which the original rule names the tunnel is shaded; there is none if that is the last.
    """
    ax, curves = begin(ax, summary, COLUMNS, what="plot_accuracy", size=SIZE), where(summary, metric=names.ACCURACY)
    if (start := _tunnel_start(summary)) is not None:
        ax.axvspan(start - 0.5, curves["place"].max() + 0.5, color=SHADE, linewidth=0, zorder=0, label=SHADED)
    named = _accuracy_lines(ax, curves, summary)
    if len(_commonest(summary)):
        ax.plot([], [], color=GREY, linewidth=1, linestyle=":", label=COMMONEST)
    style.percent_ticks(ax)
    layer_axis(ax, curves)
    level = f"{100 * float(curves['level'].iloc[0]):g} %"
    bands = f"bands: {level} bootstrap over test images" if curves["low"].notna().any() else "no interval"
    finish(ax, title=f"{of}; {bands}", x="layer", y=y, but={end.look.words for end in named})
    name_ends(ax, named)
    return ax


def _accuracy_lines(ax: Axes, curves: pd.DataFrame, summary: pd.DataFrame) -> list[End]:
    """Draw the lines, and return their names and ends."""
    colours, markers, named = itertools.cycle(COLOURS[:-1]), itertools.cycle(MARKERS), []
    for (method, task), rows in _series(curves):
        label, dash = DESIGNS[method]
        colour = GREY if method == names.IN_DISTRIBUTION else next(colours)
        look = Look(label.format(task=readable(task)), colour, next(markers), dash)
        line(ax, rows, x="place", look=look)
        named.append(end_of(rows, look))
        for constant in _commonest(summary, task) if method != names.SHIFT else ():
            ax.axhline(constant, color=colour, linewidth=1, linestyle=":", zorder=1)
    return named


def _commonest(summary: pd.DataFrame, *task: str) -> pd.Series:
    """Return what the commonest class reaches, on every task that is drawn or on `task`; nothing where unknown."""
    drawn = where(summary, metric=names.ACCURACY)["task"].unique()
    rows = where(summary, metric=BASELINE, method=MAJORITY, task=task or tuple(drawn))
    return rows["mean"]


def accuracy_words(summary: pd.DataFrame) -> str:
    """Return `plot_accuracy` in words."""
    curves, parts = where(summary, metric=names.ACCURACY), []
    for (method, task), rows in _series(curves):
        _, best, last = ends(rows)
        constant = [f", its commonest class {100 * value:.1f} %" for value in _commonest(summary, task)]
        parts.append(
            f"{DESIGNS[method][0].format(task=readable(task))} is best in {best['layer']} with "
            f"{100 * best['mean']:.1f} % and has {100 * last['mean']:.1f} % in the last layer"
            f"{'' if pd.isna(last['low']) else f', {style.interval_in_percent(last)}'}{''.join(constant)}"
        )
    layers, start = curves.drop_duplicates("place").set_index("place")["layer"], _tunnel_start(summary)
    shaded = "" if start is None else f" The tunnel is shaded from {layers[start]} on."
    return f"Line chart of test accuracy over {len(layers)} layers, first to last: {'; '.join(parts)}.{shaded}"


def accuracy_finding(summary: pd.DataFrame) -> str:
    """Return by how much the last layer is worse than the best one, on the reference task and on the others."""
    lines = _lines(summary)
    own, *others = (100 * (best["mean"] - last["mean"]) for _, _, best, last in lines)
    rest = f", {_points(*others)} on other tasks" if others else ""
    return f"The last layer loses {_points(own)} to the best one on {readable(lines[0][0])}{rest}."


def shift_finding(summary: pd.DataFrame) -> str:
    """Return what the probe of the last layer reaches on shifted images, and on those of the reference task."""
    own, *others = (100 * last["mean"] for _, _, _, last in _lines(summary))
    than = "less" if max(others) < own else "more" if min(others) > own else "less and more"
    return f"On shifted images the last layer's probe reaches {than}, {percent_range(others)} instead of {own:.1f} %."


def normalised_finding(summary: pd.DataFrame) -> str:
    """Return what share of the best layer's accuracy the last one keeps."""
    lines = _lines(summary)
    own, *others = (100 * last["mean"] for _, _, _, last in lines)
    rest = f", {percent_range(others)} on other tasks" if others else ""
    return f"The last layer keeps {own:.1f} % of the best layer's accuracy on {readable(lines[0][0])}{rest}."


def _points(*lost: float) -> str:
    return f"{percent_range(lost).removesuffix(' %')} points" if max(lost) >= LEAST else "nothing"


def _tunnel_start(summary: pd.DataFrame) -> int | None:
    """Return the place where the tunnel begins, None if it would hold no more than the last layer."""
    starts = where(summary, metric=START)["mean"]
    return int(starts.iloc[0]) if len(starts) and starts.iloc[0] < summary["place"].max() else None


def _series(curves: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Return the lines of an accuracy figure: the reference first, then transfer, then shift."""
    lines = [(key, rows.sort_values("place")) for key, rows in curves.groupby(["method", "task"], sort=False)]
    return sorted(lines, key=lambda item: list(DESIGNS).index(item[0][0]))


def _lines(summary: pd.DataFrame) -> list[tuple[str, pd.Series, pd.Series, pd.Series]]:
    """Return task and `ends` of the lines of an accuracy figure, the reference first."""
    return [(task, *ends(rows)) for (_, task), rows in _series(where(summary, metric=names.ACCURACY))]


accuracy = Figure(
    partial(_accuracies, designs=(names.TRANSFER,)), plot_accuracy, accuracy_words, finding=accuracy_finding
)
shift_accuracy = Figure(
    _shifts, partial(plot_accuracy, of=SHIFTED), accuracy_words, "No shifted images were measured.", shift_finding
)
normalised_accuracy = Figure(
    _normalised,
    partial(plot_accuracy, y="accuracy (% of the best layer)"),
    lambda summary: f"Each line divided by its maximum. {accuracy_words(summary)}",
    finding=normalised_finding,
)
