"""Figures of small networks by depth, each plot beside the words that say it and the finding that heads it."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.figures import COLUMNS, ends
from diffred_core.chapters.depth.reading import by_layer, percent_range
from diffred_core.drawing import Figure, Look, style
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, finish, interval_name, line
from diffred_core.redundancy import STRENGTHS, strength
from diffred_core.results import summarize, where
from diffred_core.results.readable import readable

DASHES = {names.EARLY: "-", names.LATE: "--"}
MOST = 102.0  # percent: the end of the axis, so that an interval around 100 is seen
SHADES = ("#FFFFFF", "#F4F4F4", "#E6E6E6", "#D4D4D4")  # the stronger the tunnel, the darker


def plot_network_accuracy(summary: pd.DataFrame) -> Axes:
    """Draw probe accuracy by convolution, one panel a network, one line a task; before training it is dotted.

    The first panel is returned; its figure holds one row of panels a model, one column a way of pooling.
    """
    style.require(summary, ("model", "label", *COLUMNS), what="plot_network_accuracy")
    summary, poolings = style.clear_intervals(summary), names.in_order(summary["label"])
    size = (5.8 / len(poolings), 2.9)
    panels = style.panels(summary, size=size, row="model", col="label", col_order=poolings)
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
        _panel(ax, title=f"{readable(model)}, {names.network_words(pooling)}", y=y)
        style.percent_ticks(ax)
    panels.set(ylim=(None, 1.01))  # of all panels: an interval of few networks may exceed 100 %
    dotted = "; dotted: untrained" if names.UNTRAINED in set(summary["recipe"]) else ""
    return style.name_panels(panels, f"{_bands(summary)}{dotted}")


def network_accuracy_words(summary: pd.DataFrame) -> str:
    """Return `plot_network_accuracy` in words."""
    sentences = []
    for (model, pooling, recipe), cell in summary.groupby(names.KIND):
        parts = []
        for (_, task), rows in cell.groupby(["method", "task"]):
            _, best, last = ends(rows)
            parts.append(
                f"{readable(task)} {100 * best['mean']:.1f} % at {best['place']}, "
                f"{100 * last['mean']:.1f} % at the last"
            )
        sentences.append(f"{readable(model)} {names.network_words(pooling, recipe)}: {'; '.join(parts)}")
    return (
        "Line charts of the test accuracy of a probe by convolution, best mean and mean at the last convolution. "
        f"{'. '.join(sentences)}."
    )


def network_accuracy_finding(summary: pd.DataFrame) -> str:
    """Return what trained networks lose from the best convolution to the last, on other data and on their own."""
    losses: dict[bool, list[float]] = {True: [], False: []}
    trained = where(summary, recipe=names.TRAINED)
    for (method, *_), rows in trained.groupby(["method", "task", "model", "label"]):
        _, best, last = ends(rows)
        losses[method == names.IN_DISTRIBUTION].append(100 * float(best["mean"] - last["mean"]))
    own, other = (percent_range(losses[inside]).removesuffix(" %") for inside in (True, False))
    return f"From the best to the last convolution {other} points are lost on other data, {own} on their own."


def _retained(table: pd.DataFrame) -> pd.DataFrame:
    """Return the percentage retained of every network (with its seed), and the mean of every kind (without)."""
    seeds = where(table, metric=names.MEAN_RETAINED)[[*names.KIND, "seed", "value"]].rename(columns={"value": "mean"})
    return pd.concat([seeds, summarize(table, names.KIND, metric=names.MEAN_RETAINED)], ignore_index=True)


def plot_network_retained(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of OOD performance that each network retains, beside the published names for it."""
    style.require(summary, (*names.KIND, "seed", "mean", "low", "high", "n"), what="plot_network_retained")
    means = summary[summary["seed"].isna()].sort_values(names.KIND, ignore_index=True)
    ax = style.axes_or_new(ax, size=(6.4, 1.8 + 0.6 * len(means)))
    left = max(0.0, min(75.0, 5 * (float(summary[["mean", "low"]].min().min()) // 5)))
    _shade_strengths(ax, left)
    kinds = [f"{readable(r.model)}\n{names.network_words(r.label, r.recipe)}" for r in means.itertuples()]
    networks = summary[summary["seed"].notna()].merge(means[names.KIND].assign(kind=kinds), on=names.KIND)
    dots = {"color": COLOURS[0], "alpha": 0.5, "size": 7, "jitter": False}
    sns.stripplot(networks, x="mean", y="kind", order=kinds, ax=ax, **dots)
    style.points(ax, style.clear_intervals(means), look=Look("", "#000000", "|"), size=16)
    ax.set_xlim(left, MOST)
    ax.set_ylim(len(means) - 0.4, -0.9)
    title = f"dots: networks\n{_bands(means).replace('bands', 'bars')}"
    return finish(ax, title=title, x="retained (%), mean over OOD tasks", y="")


def network_retained_words(summary: pd.DataFrame) -> str:
    """Return `plot_network_retained` in words."""
    parts = []
    for row in summary[summary["seed"].isna()].itertuples(index=False):
        interval = "" if pd.isna(row.low) else f", interval {row.low:.1f} to {row.high:.1f}"
        kind = f"{readable(row.model)} {names.network_words(row.label, row.recipe)}"
        parts.append(f"{kind} {row.mean:.1f} % ({strength(row.mean)} tunnel{interval})")
    return f"Dot chart of the OOD performance retained at the last convolution, mean over tasks: {'; '.join(parts)}."


def network_retained_finding(summary: pd.DataFrame) -> str:
    """Return what trained networks retain, and what the same ones do untrained."""
    means = summary[summary["seed"].isna()]
    trained, untrained = (where(means, recipe=recipe)["mean"] for recipe in (names.TRAINED, names.UNTRAINED))
    before = f", untrained ones {percent_range(untrained)}" if len(untrained) else ""
    return f"The last convolution of trained networks retains {percent_range(trained)}{before}."


def _geometry(table: pd.DataFrame) -> pd.DataFrame:
    """Return rank and NC1 of every network, the latter as decimal logarithm: it falls by orders of magnitude."""
    rows = where(table, metric=(names.RANK, names.NC1))
    logarithms = rows["value"].where(rows["metric"] != names.NC1, np.log10(rows["value"]))
    return by_layer(rows.assign(value=logarithms), [names.RANK, names.NC1])


def plot_network_geometry(summary: pd.DataFrame) -> Axes:
    """Draw the numerical rank and the within-class variability (NC1) by convolution; thin lines before training."""
    style.require(summary, ("model", "label", *COLUMNS), what="plot_network_geometry")
    titles = {names.RANK: "numerical rank", names.NC1: "NC1 (log scale)"}
    summary, models = style.clear_intervals(summary), list(summary["model"].unique())
    panels = style.panels(summary, size=(2.9, 3.0), col="metric", col_order=list(titles), sharey=False)
    for metric, ax in panels.axes_dict.items():
        for (model, pooling, recipe), rows in where(summary, metric=metric).groupby(names.KIND):
            i, words = models.index(model), f"{readable(model)}\n{names.network_words(pooling)}"
            colour, dash = COLOURS[i % len(COLOURS)], DASHES.get(pooling, ":")
            if recipe == names.UNTRAINED:
                ax.plot(rows["place"], rows["mean"], dash, color=colour, linewidth=0.8, alpha=0.8)
            else:
                line(ax, rows, x="place", look=Look(words, colour, MARKERS[i % len(MARKERS)], dash))
        _panel(ax, title=titles[metric], y="")
    panels.axes_dict[names.NC1].yaxis.set_major_locator(MaxNLocator(integer=True))
    panels.axes_dict[names.NC1].yaxis.set_major_formatter(lambda exponent, _: f"{10**exponent:.3g}")
    thin = "; thin: untrained" if names.UNTRAINED in set(summary["recipe"]) else ""
    return style.name_panels(panels, f"{_bands(summary)}{thin}")


def network_geometry_words(summary: pd.DataFrame) -> str:
    """Return `plot_network_geometry` in words."""
    sentences = []
    for (model, pooling, recipe), cell in summary.groupby(names.KIND):
        ranks, nc1 = (where(cell, metric=m).sort_values("place")["mean"] for m in (names.RANK, names.NC1))
        network = f"{readable(model)} {names.network_words(pooling, recipe)}"
        sentences.append(
            f"{network}: rank from {ranks.iloc[0]:.0f} over at most {ranks.max():.0f} to "
            f"{ranks.iloc[-1]:.0f}, NC1 from {10 ** nc1.iloc[0]:.2f} to {10 ** nc1.iloc[-1]:.2f}"
        )
    return f"Line charts of numerical rank and NC1 by convolution, first to last. {'. '.join(sentences)}."


def network_geometry_finding(summary: pd.DataFrame) -> str:
    """Return the rank of the last convolution of trained networks, and of untrained ones."""
    ranks = where(summary, metric=names.RANK).sort_values("place").groupby(names.KIND)["mean"].last()
    by_recipe = {recipe: percent_range(values).removesuffix(" %") for recipe, values in ranks.groupby("recipe")}
    before = f", untrained {by_recipe[names.UNTRAINED]}" if names.UNTRAINED in by_recipe else ""
    return f"At the last convolution trained networks have a numerical rank of {by_recipe[names.TRAINED]}{before}."


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
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    style.small(ax)


def _bands(summary: pd.DataFrame) -> str:
    """Return what the bands are, or why there are none: of two networks the ends say nothing."""
    few = 1 < summary["n"].max() < style.FEWEST
    return (
        f"means of {int(summary['n'].max())} networks" if few else f"bands: {interval_name(summary, over='networks')}"
    )


network_accuracy = Figure(
    lambda table: by_layer(table, [names.ACCURACY]),
    plot_network_accuracy,
    network_accuracy_words,
    finding=network_accuracy_finding,
)
network_retained = Figure(_retained, plot_network_retained, network_retained_words, finding=network_retained_finding)
network_geometry = Figure(_geometry, plot_network_geometry, network_geometry_words, finding=network_geometry_finding)
