"""Figures of the layers of one model, each plot beside the words that say it and the finding that heads it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.reading import by_layer
from diffred_core.drawing import Figure, Look, looks, style
from diffred_core.drawing.ends import End, name_ends
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, begin, finish, interval_name
from diffred_core.results import where
from diffred_core.results.readable import readable

COLUMNS = ("place", "layer", "recipe", "method", "task", "metric", "mean", "low", "high", "n", "level")
RANKS = {
    "n_features": Look("width of the layer", GREY, "", ":"),
    "rankme": Look("RankMe", COLOURS[0], MARKERS[0]),
    names.RANK: Look("numerical rank", COLOURS[1], MARKERS[1]),
    "stable_rank": Look("stable rank", COLOURS[2], MARKERS[2]),
}
COLLAPSE = {  # by convention and metric
    (convention, f"nc{i + 1}"): Look(f"NC{i + 1}{words}", COLOURS[i], MARKERS[i], dash)
    for convention, words, dash in ((names.PAPYAN, "", "-"), (names.HARUN, ", Harun", ":"))
    for i in range(4)
}
REDUNDANCY = {
    names.CKA_TO_LAST: Look("CKA with the last layer (x 100)", COLOURS[0], MARKERS[0]),
    names.ACCURACY_KEPT: Look("accuracy kept by a random part", COLOURS[1], MARKERS[1]),
    names.REDUNDANCY: Look("diffused redundancy", COLOURS[2], MARKERS[2]),
}
BANDED = (names.CKA_TO_LAST, names.ACCURACY_KEPT)  # the third goes in coarse steps: its interval says nothing
MOST_NAMES = 26  # tick labels that fit side by side
LEAST = 0.0005  # of accuracy: a smaller difference is none in a finding, which has one decimal place of percent
SIZE = (6.4, 5.2)


def plot_rank(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the number of directions that every layer uses, by three counts, beside its width."""
    ax = begin(ax, summary, (*COLUMNS, "n_features"), what="plot_rank", size=SIZE)
    width = summary.drop_duplicates("place").assign(
        metric="n_features", mean=lambda t: t["n_features"].astype(float), low=None, high=None
    )
    rows = pd.concat([summary, width.astype(summary.dtypes)])
    _log_axis(ax)
    return _named_lines(ax, rows, RANKS, by="metric", title="training images", y="directions (log scale)")


def rank_words(summary: pd.DataFrame) -> str:
    """Return `plot_rank` in words."""
    return f"Line chart of the directions that each layer uses: {_ends_in_words(summary, RANKS, '.1f')}."


def rank_finding(summary: pd.DataFrame) -> str:
    """Return how RankMe goes from the first layer to the last, and what share of the last one's width it is."""
    first, _, last = ends(where(summary, metric="rankme"))
    share = 100 * last["mean"] / last["n_features"]
    goes = _goes(first["mean"], last["mean"])
    return f"RankMe {goes} from {first['mean']:.0f} directions to {last['mean']:.0f}, {share:.0f} % of the last width."


def plot_collapse(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw measures of neural collapse by layer, in one convention; all are 0 for a collapsed layer."""
    ax = begin(ax, summary, COLUMNS, what="plot_collapse", size=SIZE)
    _log_axis(ax)
    about = {"title": "training images, probe of the reference task", "y": "0 where collapsed (log scale)"}
    return _named_lines(ax, summary, COLLAPSE, by=["recipe", "metric"], **about)


def collapse_words(summary: pd.DataFrame) -> str:
    """Return `plot_collapse` in words."""
    parts = _ends_in_words(summary, COLLAPSE, ".2f", by=["recipe", "metric"])
    return f"Line chart of neural collapse by layer, 0 where collapsed: {parts}."


def collapse_finding(summary: pd.DataFrame) -> str:
    """Return how the first of the measures that are drawn goes from the first layer to the last."""
    metric = summary["metric"].min()
    first, _, last = ends(where(summary, metric=metric))
    goes = _goes(first["mean"], last["mean"])
    return f"{metric.upper()} {goes} from {first['mean']:.2f} to {last['mean']:.2f} in the last layer; 0 is collapse."


def plot_redundancy(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw by layer its likeness to the last one, and how much of it can go; bands are over random subsets."""
    ax = begin(ax, summary, COLUMNS, what="plot_redundancy", size=SIZE)
    ax.set_ylim(-0.03, 1.03)
    style.percent_ticks(ax)
    title = f"bands: {interval_name(summary, over='subsets')}" if summary["n"].max() > 1 else ""
    return _named_lines(ax, summary, REDUNDANCY, by="metric", banded=BANDED, title=title, y="%")


def redundancy_words(summary: pd.DataFrame) -> str:
    """Return `plot_redundancy` in words."""
    return f"Line chart of shares by layer: {_ends_in_words(summary, REDUNDANCY, '.2f')}."


def redundancy_finding(summary: pd.DataFrame) -> str:
    """Return what a random part keeps of the accuracy of the first layer and of the last."""
    first, _, last = ends(where(summary, metric=names.ACCURACY_KEPT))
    kept = f"{100 * last['mean']:.0f} % of its accuracy, of the first layer {100 * first['mean']:.0f} %"
    return f"A random part of the last layer keeps {kept}."


def _optimism(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the choice on test rows adds by layer; nothing where no probe ran as published."""
    return by_layer(table, [names.OPTIMISM]) if names.OPTIMISM in set(table["metric"]) else table.iloc[:0]


def plot_optimism(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what it adds to choose the epoch of the published probe on the test rows, layer by layer."""
    ax = begin(ax, summary, COLUMNS, what="plot_optimism", size=(5.8, 1.4 + 0.5 * len(summary)))
    rows = summary.sort_values(["task", "place"], ascending=False, ignore_index=True)
    ax.axvline(0, color=GREY, linewidth=1)
    style.points(ax, 100 * rows[["mean", "low", "high"]].astype(float), look=Look("", COLOURS[0]))
    style.row_names(ax, [f"{readable(row.task)}\n{row.layer}" for row in rows.itertuples()], size=10)
    return finish(ax, title=f"bars: {interval_name(rows, over='runs')}", x="points of accuracy added", y="")


def optimism_words(summary: pd.DataFrame) -> str:
    """Return `plot_optimism` in words."""
    rows = summary.sort_values(["task", "place"])
    parts = [f"{row.layer} on {readable(row.task)} {100 * row.mean:.2f}" for row in rows.itertuples(index=False)]
    return f"Dot chart of the points of accuracy that choosing the epoch on test images adds: {'; '.join(parts)}."


def optimism_finding(summary: pd.DataFrame) -> str:
    """Return the most that the choice on test images adds, and how often it is clear."""
    most, clear = summary["mean"].max(), int((summary["low"] > 0).sum())
    adds = f"up to {100 * most:.1f} points" if most >= 0.0005 else "nothing"
    often = f"clearly in {clear} of {len(summary)} probes" if clear else f"clearly in none of {len(summary)} probes"
    return f"Choosing the epoch on test images adds {adds} of accuracy, {often}."


def ends(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return the first, the greatest and the last of the rows of one line."""
    rows = rows.sort_values("place")
    return rows.iloc[0], rows.loc[rows["mean"].idxmax()], rows.iloc[-1]


def end_of(rows: pd.DataFrame, look: Look) -> End:
    """Return the end of a line, to be named there."""
    last = rows.loc[rows["place"].idxmax()]
    return End(look, float(last["place"]), float(last["mean"]))


def _goes(first: float, last: float) -> str:
    """Return in a word how a number goes from the first layer to the last."""
    return "stays" if abs(last - first) <= 0.05 * abs(first) else "rises" if last > first else "falls"


def _named_lines(
    ax: Axes, rows: pd.DataFrame, known: Mapping[Any, Look], *, by: Any, title: str, y: str, banded: Any = None
) -> Axes:
    """Draw a line by layer for every value of `by`, named at its end."""
    style.lines(ax, rows, known, by=by, x="place", banded=banded)
    layer_axis(ax, rows)
    finish(ax, title=title, x="layer", y=y, legend=False)
    visible = rows[rows["mean"] > 0] if ax.get_yscale() == "log" else rows  # a log axis has no place for 0
    groups = dict(list(visible.groupby(by)))
    name_ends(ax, [end_of(groups[key], look) for key, look in looks(known, groups).items()])
    return ax


def _ends_in_words(
    summary: pd.DataFrame, known: Mapping[Any, Look], form: str, *, by: str | list[str] = "metric"
) -> str:
    groups, parts = {key: rows for key, rows in summary.groupby(by)}, []
    for key, look in looks(known, groups).items():
        first, top, last = ends(groups[key])
        parts.append(
            f"{look.words} from {first['mean']:{form}} in {first['layer']} to {last['mean']:{form}} in "
            f"{last['layer']}, at most {top['mean']:{form}} in {top['layer']}"
        )
    return "; ".join(parts)


def _log_axis(ax: Axes) -> None:
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter("{x:g}")


def layer_axis(ax: Axes, summary: pd.DataFrame) -> None:
    """Name the layers below the axis, every so many of them where they are too many."""
    ticks = summary.drop_duplicates("place").set_index("place")["layer"].sort_index()
    ticks = ticks.iloc[:: -(-len(ticks) // MOST_NAMES)]
    ax.set_xticks(ticks.index, ticks, rotation=90, fontsize=9)
    ax.set_xlim(summary["place"].min() - 0.5, summary["place"].max() + 0.5)


def _of_convention(table: pd.DataFrame, convention: str) -> pd.DataFrame:
    """Return the measures of neural collapse in one convention."""
    return where(by_layer(table, [metric for _, metric in COLLAPSE]), recipe=convention)


rank = Figure(
    lambda table: by_layer(table, [m for m in RANKS if m != "n_features"]), plot_rank, rank_words, finding=rank_finding
)
collapse, collapse_harun = (
    Figure(
        partial(_of_convention, convention=convention), plot_collapse, collapse_words, "Not measured.", collapse_finding
    )
    for convention in (names.PAPYAN, names.HARUN)
)
redundancy = Figure(
    lambda table: by_layer(table, list(REDUNDANCY)), plot_redundancy, redundancy_words, finding=redundancy_finding
)
optimism = Figure(_optimism, plot_optimism, optimism_words, "No probe as published was asked for.", optimism_finding)
