"""Figures of the chapter, each plot beside the words that say it: one model by depth, and small networks by depth."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.reading import by_layer
from diffred_core.chapters.random_subsets.names import BASELINE, MAJORITY
from diffred_core.drawing import Figure, Look, looks, style
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, begin, finish, interval_name, line
from diffred_core.redundancy import STRENGTHS, strength
from diffred_core.results import summarize, where
from diffred_core.results.readable import readable

COLUMNS = ("place", "layer", "recipe", "method", "task", "metric", "mean", "low", "high", "n", "level")
DESIGNS = {  # design: how it is named in a legend, dash
    names.IN_DISTRIBUTION: ("{task} (reference)", "--"),
    names.TRANSFER: ("{task}, probe of its own", "-"),
    names.SHIFT: ("{task}, probe of the reference", ":"),
}
RANKS = {
    "n_features": Look("width of the layer", GREY, "", ":"),
    "rankme": Look("RankMe", COLOURS[0], MARKERS[0]),
    names.RANK: Look("numerical rank", COLOURS[1], MARKERS[1]),
    "stable_rank": Look("stable rank", COLOURS[2], MARKERS[2]),
}
COLLAPSE = {  # by convention and metric
    (convention, f"nc{i + 1}"): Look(f"NC{i + 1}, {convention.capitalize()}", COLOURS[i], MARKERS[i], dash)
    for convention, dash in ((names.PAPYAN, "-"), (names.HARUN, ":"))
    for i in range(4)
}
REDUNDANCY = {
    names.CKA_TO_LAST: Look("CKA with the last layer", COLOURS[0], MARKERS[0]),
    names.ACCURACY_KEPT: Look("accuracy kept by a random part", COLOURS[1], MARKERS[1]),
    names.REDUNDANCY: Look("diffused redundancy", COLOURS[2], MARKERS[2]),
}
BANDED = (names.CKA_TO_LAST, names.ACCURACY_KEPT)  # the third goes in coarse steps: its interval says nothing
START = next(iter(names.TUNNEL_STARTS))
DASHES = {names.EARLY: "-", names.LATE: "--"}
MOST = 102.0  # percent: the end of the axis, so that an interval around 100 is seen
SHADE, SHADES = "#E8E8E8", ("#FFFFFF", "#F4F4F4", "#E6E6E6", "#D4D4D4")  # the stronger the tunnel, the darker
MOST_NAMES = 26  # tick labels that fit side by side
SIZE = (6.4, 5.2)


# ---- one model by depth


def _normalised(table: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of the accuracy figure, each divided by its greatest mean; the start of the tunnel as it is."""
    rows = by_layer(table, [names.ACCURACY, START])
    numbers = ["mean", "low", "high"]
    best = (
        rows.groupby(["method", "task", "metric"])["mean"].transform("max").where(rows["metric"] == names.ACCURACY, 1.0)
    )
    return rows.assign(**rows[numbers].astype(float).div(best, axis=0))


def plot_accuracy(summary: pd.DataFrame, *, y: str = "test accuracy (%)", ax: Axes | None = None) -> Axes:
    """Draw probe accuracy by layer, one line a task and design; bands are intervals over test rows.

    A dotted line of the same colour is what always giving the commonest class of the task reaches. From the layer on
    which the original rule names the tunnel is shaded; there is none if that is the last.
    """
    ax, curves = begin(ax, summary, COLUMNS, what="plot_accuracy", size=SIZE), where(summary, metric=names.ACCURACY)
    if (start := _tunnel_start(summary)) is not None:
        end = curves["place"].max() + 0.5
        ax.axvspan(start - 0.5, end, color=SHADE, linewidth=0, zorder=0, label="tunnel, by the original rule")
    colours, markers = itertools.cycle(COLOURS[:-1]), itertools.cycle(MARKERS)
    for (method, task), rows in _series(curves):
        label, dash = DESIGNS[method]
        colour = GREY if method == names.IN_DISTRIBUTION else next(colours)
        line(ax, rows, x="place", look=Look(label.format(task=readable(task)), colour, next(markers), dash))
        for constant in _commonest(summary, task) if method != names.SHIFT else ():
            ax.axhline(constant, color=colour, linewidth=1, linestyle=":", zorder=1)
    if len(_commonest(summary)):
        ax.plot([], [], color=GREY, linewidth=1, linestyle=":", label="commonest class of the task")
    style.percent_ticks(ax)
    layer_axis(ax, curves)
    level = f"{100 * float(curves['level'].iloc[0]):g} %"
    title = f"bands: {level} bootstrap over test images" if curves["low"].notna().any() else "no interval"
    return finish(ax, title=title, x="", y=y, columns=1)


def _commonest(summary: pd.DataFrame, *task: str) -> pd.Series:
    """Return what the commonest class reaches, on every task or on `task`; nothing where the table does not say it."""
    rows = where(summary, metric=BASELINE, method=MAJORITY)
    return (where(rows, task=task) if task else rows)["mean"]


def accuracy_words(summary: pd.DataFrame) -> str:
    """Return `plot_accuracy` in words."""
    curves, parts = where(summary, metric=names.ACCURACY), []
    for (method, task), rows in _series(curves):
        _, best, last = _ends(rows)
        constant = [f", its commonest class {100 * value:.1f} %" for value in _commonest(summary, task)]
        parts.append(
            f"{DESIGNS[method][0].format(task=readable(task))} is best in {best['layer']} with "
            f"{100 * best['mean']:.1f} % and has {100 * last['mean']:.1f} % in the last layer"
            f"{'' if pd.isna(last['low']) else f', {style.interval_in_percent(last)}'}{''.join(constant)}"
        )
    layers, start = curves.drop_duplicates("place").set_index("place")["layer"], _tunnel_start(summary)
    shaded = "" if start is None else f" The tunnel is shaded from {layers[start]} on."
    return f"Line chart of test accuracy over {len(layers)} layers, first to last: {'; '.join(parts)}.{shaded}"


def plot_rank(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the number of directions that every layer uses, by three counts, beside its width."""
    ax = begin(ax, summary, (*COLUMNS, "n_features"), what="plot_rank", size=SIZE)
    width = summary.drop_duplicates("place").assign(
        metric="n_features", mean=lambda t: t["n_features"].astype(float), low=None, high=None
    )
    style.lines(ax, pd.concat([summary, width.astype(summary.dtypes)]), RANKS, by="metric", x="place")
    _log_axis(ax)
    layer_axis(ax, summary)
    return finish(ax, title="training images", x="", y="directions (log scale)")


def rank_words(summary: pd.DataFrame) -> str:
    """Return `plot_rank` in words."""
    return f"Line chart of the directions that each layer uses: {_ends_in_words(summary, RANKS, '.1f')}."


def plot_collapse(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the four measures of neural collapse by layer, in two conventions; all are 0 for a collapsed layer."""
    ax = begin(ax, summary, COLUMNS, what="plot_collapse", size=(SIZE[0], SIZE[1] + 0.6))
    style.lines(ax, summary, COLLAPSE, by=["recipe", "metric"], x="place")
    _log_axis(ax)
    layer_axis(ax, summary)
    return finish(ax, title="training images, probe of the reference task", x="", y="0 where collapsed (log scale)")


def collapse_words(summary: pd.DataFrame) -> str:
    """Return `plot_collapse` in words."""
    parts = _ends_in_words(summary, COLLAPSE, ".2f", by=["recipe", "metric"])
    return f"Line chart of neural collapse by layer, 0 where collapsed: {parts}."


def plot_redundancy(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw by layer its likeness to the last one, and how much of it can go; bands are over random subsets."""
    ax = begin(ax, summary, COLUMNS, what="plot_redundancy", size=SIZE)
    style.lines(ax, summary, REDUNDANCY, by="metric", x="place", banded=BANDED)
    ax.set_ylim(-0.03, 1.03)
    layer_axis(ax, summary)
    title = f"bands: {interval_name(summary, over='subsets')}" if summary["n"].max() > 1 else ""
    return finish(ax, title=title, x="", y="share", columns=1)


def redundancy_words(summary: pd.DataFrame) -> str:
    """Return `plot_redundancy` in words."""
    return f"Line chart of shares by layer: {_ends_in_words(summary, REDUNDANCY, '.2f')}."


def _optimism(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the choice on test rows adds by layer; nothing where no probe ran as published."""
    return by_layer(table, [names.OPTIMISM]) if names.OPTIMISM in set(table["metric"]) else table.iloc[:0]


def plot_optimism(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what it adds to choose the epoch of the published probe on the test rows, layer by layer."""
    ax = begin(ax, summary, COLUMNS, what="plot_optimism", size=(6.4, 1.8 + 0.4 * len(summary)))
    rows = summary.sort_values(["task", "place"], ascending=False, ignore_index=True)
    ax.axvline(0, color=GREY, linewidth=1)
    style.points(ax, 100 * rows[["mean", "low", "high"]].astype(float), look=Look("", COLOURS[0]))
    style.row_names(ax, [f"{row.layer} on {readable(row.task)}" for row in rows.itertuples()])
    return finish(ax, title=f"bars: {interval_name(rows, over='runs')}", x="points of accuracy added", y="")


def optimism_words(summary: pd.DataFrame) -> str:
    """Return `plot_optimism` in words."""
    rows = summary.sort_values(["task", "place"])
    parts = [f"{row.layer} on {readable(row.task)} {100 * row.mean:.2f}" for row in rows.itertuples(index=False)]
    return f"Dot chart of the points of accuracy that choosing the epoch on test images adds: {'; '.join(parts)}."


def _tunnel_start(summary: pd.DataFrame) -> int | None:
    """Return the place where the tunnel begins, None if it would hold no more than the last layer."""
    starts = where(summary, metric=START)["mean"]
    return int(starts.iloc[0]) if len(starts) and starts.iloc[0] < summary["place"].max() else None


def _series(curves: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Return the lines of an accuracy figure: the reference first, then transfer, then shift."""
    lines = [(key, rows.sort_values("place")) for key, rows in curves.groupby(["method", "task"], sort=False)]
    return sorted(lines, key=lambda item: list(DESIGNS).index(item[0][0]))


def _ends(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return the first, the greatest and the last of the rows of one line."""
    rows = rows.sort_values("place")
    return rows.iloc[0], rows.loc[rows["mean"].idxmax()], rows.iloc[-1]


def _ends_in_words(
    summary: pd.DataFrame, known: Mapping[Any, Look], form: str, *, by: str | list[str] = "metric"
) -> str:
    groups, parts = {key: rows for key, rows in summary.groupby(by)}, []
    for key, look in looks(known, groups).items():
        first, top, last = _ends(groups[key])
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


accuracy = Figure(lambda table: by_layer(table, [names.ACCURACY, START, BASELINE]), plot_accuracy, accuracy_words)
normalised_accuracy = Figure(
    _normalised,
    partial(plot_accuracy, y="accuracy (% of the best layer)"),
    lambda summary: f"Each line divided by its maximum. {accuracy_words(summary)}",
)
rank = Figure(lambda table: by_layer(table, [m for m in RANKS if m != "n_features"]), plot_rank, rank_words)
collapse = Figure(lambda table: by_layer(table, [metric for _, metric in COLLAPSE]), plot_collapse, collapse_words)
redundancy = Figure(lambda table: by_layer(table, list(REDUNDANCY)), plot_redundancy, redundancy_words)
optimism = Figure(_optimism, plot_optimism, optimism_words, empty="No probe as published was asked for.")


# ---- small networks by depth


def plot_network_accuracy(summary: pd.DataFrame) -> Axes:
    """Draw probe accuracy by convolution, one panel a network, one line a task; before training it is dotted.

    The first panel is returned; its figure holds one row of panels a model, one column a way of pooling.
    """
    style.require(summary, ("model", "label", *COLUMNS), what="plot_network_accuracy")
    panels = style.panels(summary, row="model", col="label", col_order=names.in_order(summary["label"]))
    others = sorted(where(summary, method=names.TRANSFER)["task"].unique())
    colours = {task: COLOURS[i % len(COLOURS)] for i, task in enumerate(others)}
    for (model, pooling), ax in panels.axes_dict.items():
        for (method, task, recipe), rows in where(summary, model=model, label=pooling).groupby(
            ["method", "task", "recipe"]
        ):
            look = Look(readable(task), colours.get(task, GREY))
            if method == names.IN_DISTRIBUTION:
                look = Look(f"{readable(task)} (trained on)", GREY, dash="--")
            if recipe == names.UNTRAINED:
                ax.plot(rows["place"], rows["mean"], ":", color=look.colour, linewidth=1.6)
            else:
                line(ax, rows, x="place", look=look)
        y = "test accuracy (%)" if ax in panels.axes[:, 0] else ""
        _panel(ax, title=f"{model}, {names.network_words(pooling)}", y=y)
        style.percent_ticks(ax)
    panels.set(ylim=(None, 1.01))  # of all panels: an interval of few networks may exceed 100 %
    dotted = "; dotted: before training" if names.UNTRAINED in set(summary["recipe"]) else ""
    return style.name_panels(panels, f"bands: {interval_name(summary, over='networks')}{dotted}")


def network_accuracy_words(summary: pd.DataFrame) -> str:
    """Return `plot_network_accuracy` in words."""
    sentences = []
    for (model, pooling, recipe), cell in summary.groupby(names.KIND):
        parts = []
        for (_, task), rows in cell.groupby(["method", "task"]):
            _, best, last = _ends(rows)
            parts.append(
                f"{readable(task)} {100 * best['mean']:.1f} % at {best['place']}, "
                f"{100 * last['mean']:.1f} % at the last"
            )
        sentences.append(f"{model} {names.network_words(pooling, recipe)}: {'; '.join(parts)}")
    return (
        "Line charts of the test accuracy of a probe by convolution, best mean and mean at the last convolution. "
        f"{'. '.join(sentences)}."
    )


def _retained(table: pd.DataFrame) -> pd.DataFrame:
    """Return the percentage retained of every network (with its seed), and the mean of every kind (without)."""
    seeds = where(table, metric=names.MEAN_RETAINED)[[*names.KIND, "seed", "value"]].rename(columns={"value": "mean"})
    return pd.concat([seeds, summarize(table, names.KIND, metric=names.MEAN_RETAINED)], ignore_index=True)


def plot_network_retained(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of OOD performance that each network retains, beside the published names for it."""
    style.require(summary, (*names.KIND, "seed", "mean", "low", "high", "n"), what="plot_network_retained")
    means = summary[summary["seed"].isna()].sort_values(names.KIND, ignore_index=True)
    ax = style.axes_or_new(ax, size=(6.6, 2.0 + 0.6 * len(means)))
    left = max(0.0, min(75.0, 5 * (float(summary[["mean", "low"]].min().min()) // 5)))
    _shade_strengths(ax, left)
    kinds = [f"{r.model}\n{names.network_words(r.label, r.recipe)}" for r in means.itertuples()]
    networks = summary[summary["seed"].notna()].merge(means[names.KIND].assign(kind=kinds), on=names.KIND)
    dots = {"color": COLOURS[0], "alpha": 0.5, "size": 7, "jitter": False}
    sns.stripplot(networks, x="mean", y="kind", order=kinds, ax=ax, **dots)
    style.points(ax, means, look=Look("", "#000000", "|"), size=16)
    ax.set_xlim(left, MOST)
    ax.set_ylim(len(means) - 0.4, -0.9)
    title = f"dots: networks\nbars: {interval_name(means, over='networks')}"
    return finish(ax, title=title, x="retained (%), mean over OOD tasks", y="")


def network_retained_words(summary: pd.DataFrame) -> str:
    """Return `plot_network_retained` in words."""
    parts = []
    for row in summary[summary["seed"].isna()].itertuples(index=False):
        interval = "" if pd.isna(row.low) else f", interval {row.low:.1f} to {row.high:.1f}"
        kind = f"{row.model} {names.network_words(row.label, row.recipe)}"
        parts.append(f"{kind} {row.mean:.1f} % ({strength(row.mean)} tunnel{interval})")
    return f"Dot chart of the OOD performance retained at the last convolution, mean over tasks: {'; '.join(parts)}."


def _geometry(table: pd.DataFrame) -> pd.DataFrame:
    """Return rank and NC1 of every network, the latter as decimal logarithm: it falls by orders of magnitude."""
    rows = where(table, metric=(names.RANK, names.NC1))
    logarithms = rows["value"].where(rows["metric"] != names.NC1, np.log10(rows["value"]))
    return by_layer(rows.assign(value=logarithms), [names.RANK, names.NC1])


def plot_network_geometry(summary: pd.DataFrame) -> Axes:
    """Draw the numerical rank and the within-class variability (NC1) by convolution; thin lines before training."""
    style.require(summary, ("model", "label", *COLUMNS), what="plot_network_geometry")
    titles = {names.RANK: "numerical rank", names.NC1: "log10 of NC1"}
    panels, models = (
        style.panels(summary, col="metric", col_order=list(titles), sharey=False),
        list(summary["model"].unique()),
    )
    for metric, ax in panels.axes_dict.items():
        for (model, pooling, recipe), rows in where(summary, metric=metric).groupby(names.KIND):
            i, words = models.index(model), f"{model}, {names.network_words(pooling)}"
            colour, dash = COLOURS[i % len(COLOURS)], DASHES.get(pooling, ":")
            if recipe == names.UNTRAINED:
                ax.plot(rows["place"], rows["mean"], dash, color=colour, linewidth=0.8, alpha=0.8)
            else:
                line(ax, rows, x="place", look=Look(words, colour, MARKERS[i % len(MARKERS)], dash))
        _panel(ax, title=titles[metric], y=titles[metric])
    thin = "; thin, without markers: before training" if names.UNTRAINED in set(summary["recipe"]) else ""
    return style.name_panels(panels, f"bands: {interval_name(summary, over='networks')}{thin}")


def network_geometry_words(summary: pd.DataFrame) -> str:
    """Return `plot_network_geometry` in words."""
    sentences = []
    for (model, pooling, recipe), cell in summary.groupby(names.KIND):
        ranks, nc1 = (where(cell, metric=m).sort_values("place")["mean"] for m in (names.RANK, names.NC1))
        network = f"{model} {names.network_words(pooling, recipe)}"
        sentences.append(
            f"{network}: rank from {ranks.iloc[0]:.0f} over at most {ranks.max():.0f} to "
            f"{ranks.iloc[-1]:.0f}, NC1 from {10 ** nc1.iloc[0]:.2f} to {10 ** nc1.iloc[-1]:.2f}"
        )
    return f"Line charts of numerical rank and NC1 by convolution, first to last. {'. '.join(sentences)}."


def _shade_strengths(ax: Axes, left: float) -> None:
    right = MOST
    heights = itertools.cycle((-0.68, -0.42))  # neighbours in two rows: the upper bins are narrow
    for (name, lowest), shade, height in zip(STRENGTHS.items(), SHADES, heights, strict=False):
        if right > left:
            lowest = max(lowest, left)
            ax.axvspan(lowest, right, color=shade, linewidth=0, zorder=0)
            ax.text((lowest + right) / 2, height, name, ha="center", va="center", fontsize=9, color=GREY)
        right = lowest


def _panel(ax: Axes, *, title: str, y: str) -> None:
    finish(ax, title=title, x="convolution", y=y, legend=False)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


network_accuracy = Figure(
    lambda table: by_layer(table, [names.ACCURACY]), plot_network_accuracy, network_accuracy_words
)
network_retained = Figure(_retained, plot_network_retained, network_retained_words)
network_geometry = Figure(_geometry, plot_network_geometry, network_geometry_words)
