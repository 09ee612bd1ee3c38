"""Figures of networks trained here: what objectives change, why, and the first dimensions among random ones."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from diffred_core.chapters.governs import findings
from diffred_core.chapters.governs import names_training as names
from diffred_core.chapters.governs import training_reading as reading
from diffred_core.chapters.governs.names_training import objective_words
from diffred_core.drawing import Figure, Look, looks, style
from diffred_core.drawing.style import COLOURS, GREY, finish, interval_name, line, panels
from diffred_core.results import summarize, where

SIDES = {reading.DR_OWN: "on the own task", reading.DR_OTHER: "on other tasks"}
AXES = {reading.SEPARATION: "class separation R²", reading.RANKME: "RankMe (directions)"}
ORDERS = {
    ("matryoshka", names.FIRST_K): Look("Matryoshka heads, first k", COLOURS[0], "o"),
    ("matryoshka", names.RANDOM): Look("Matryoshka heads, random k", COLOURS[0], "s", "--"),
    (names.REFERENCE, names.FIRST_K): Look("plain, first k", COLOURS[1], "^"),
    (names.REFERENCE, names.RANDOM): Look("plain, random k", COLOURS[1], "D", "--"),
}


def changes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the differences of every objective to plain cross-entropy in diffused redundancy, with the reason."""
    rows = reading.differences(table)
    rows = rows[rows["measure"].isin(SIDES)]
    return rows.merge(reading.reasons(table)[["objective", "reason"]], on="objective")


def plot_changes(summary: pd.DataFrame) -> Axes:
    """Draw by how much each objective changes diffused redundancy, on its own task and on others."""
    style.require(summary, ("objective", "measure", "mean", "low", "high", "n", "level"), what="plot_changes")
    order = list(dict.fromkeys(summary["objective"]))[::-1]
    grid = panels(summary, size=(2.9, 1.2 + 0.26 * len(order)), col="measure", col_order=list(SIDES))
    for measure, ax in grid.axes_dict.items():
        rows = where(summary, measure=measure)
        ax.axvspan(-names.MARGIN, names.MARGIN, color="#EEEEEE", linewidth=0, zorder=0)
        ax.axvline(0, color=GREY, linewidth=1)
        places = rows["objective"].map(order.index)
        ax.hlines(places, rows["low"].astype(float), rows["high"].astype(float), color=COLOURS[0], linewidth=1.6)
        ax.plot(rows["mean"], places, "o", color=COLOURS[0], markersize=5)
        ax.set_yticks(range(len(order)), [objective_words(name) for name in order], fontsize=9)
        style.percent_ticks(ax, "x")
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.set_xlim(max(-1.0, ax.get_xlim()[0]), min(1.0, ax.get_xlim()[1]))  # an interval of few pairs may go further
        finish(ax, title=SIDES[measure], x="change (points)", y="", legend=False)
    title = f"DR({names.DELTA:g}) less plain cross-entropy; bars: {interval_name(summary, over='pairs')}"
    return style.name_panels(grid, title)


def changes_words(summary: pd.DataFrame) -> str:
    """Return `plot_changes` in words."""
    parts = []
    for objective, rows in summary.groupby("objective", sort=False):
        by = rows.set_index("measure")["mean"]
        parts.append(
            f"{objective_words(str(objective))} {100 * by[reading.DR_OWN]:+.1f} and {100 * by[reading.DR_OTHER]:+.1f} "
            f"({rows['reason'].iloc[0]})"
        )
    return (
        f"Dot chart of the change of DR({names.DELTA:g}) from plain cross-entropy, in points, on the own task and "
        "on other tasks; "
        f"in brackets whether the layer is collapsed or spread: {'; '.join(parts)}."
    )


def shapes(table: pd.DataFrame) -> pd.DataFrame:
    """Return of every objective class separation and rank, each beside redundancy on own and other tasks."""
    goals = (names.REFERENCE, *reading.objectives_of(table))
    means = {goal: {m: reading.measure_by_seed(table, goal, m).mean() for m in (*AXES, *SIDES)} for goal in goals}
    rows = [
        {"objective": goal, "shape": shape, "side": side, "x": of[shape], "mean": of[side]}
        for goal, of in means.items()
        for shape in AXES
        for side in SIDES
    ]
    return pd.DataFrame(rows)


def plot_shapes(summary: pd.DataFrame) -> Axes:
    """Draw diffused redundancy against class separation and against rank, one point an objective."""
    style.require(summary, ("objective", "shape", "side", "x", "mean"), what="plot_shapes")
    look = _objective_looks(summary["objective"])
    order = {"row_order": list(SIDES), "col_order": list(AXES), "sharey": "row"}
    grid = panels(summary, size=(2.9, 2.5), row="side", col="shape", **order)
    for (side, shape), ax in grid.axes_dict.items():
        for objective, rows in where(summary, side=side, shape=shape).groupby("objective", sort=False):
            of = look[str(objective)]
            ax.plot(rows["x"], rows["mean"], of.marker, color=of.colour, label=of.words, markersize=8, linestyle="")
        ax.xaxis.set_major_locator(MaxNLocator(4))
        style.percent_ticks(ax)
        y = f"DR({names.DELTA:g}), %" if shape == reading.SEPARATION else ""
        finish(ax, title=SIDES[side], x=AXES[shape], y=y, legend=False)
    return style.name_panels(grid, "further right: more collapsed (left), more spread (right)")


def shapes_words(summary: pd.DataFrame) -> str:
    """Return `plot_shapes` in words."""
    parts = []
    for objective, rows in summary.groupby("objective", sort=False):
        x = rows.drop_duplicates("shape").set_index("shape")["x"]
        y = rows.drop_duplicates("side").set_index("side")["mean"]
        parts.append(
            f"{objective_words(str(objective))} R² {x[reading.SEPARATION]:.2f}, RankMe {x[reading.RANKME]:.1f}, "
            f"DR {100 * y[reading.DR_OWN]:.0f} % own and {100 * y[reading.DR_OTHER]:.0f} % other"
        )
    return f"Scatter charts of diffused redundancy against class separation and rank, by objective: {'; '.join(parts)}."


def orders(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy by size of the first and of random dimensions on the own task, with Matryoshka heads and not."""
    rows = where(table, metric=names.ACCURACY, label=names.OWN, model=reading.architecture_of(table))
    rows = where(rows, method=(names.FIRST_K, names.RANDOM))
    rows = rows.assign(recipe=rows["recipe"].str.partition(":")[0])
    return summarize(where(rows, recipe=("matryoshka", names.REFERENCE)), ["recipe", "method", "fraction"])


def plot_orders(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy against the share of dimensions, first and random ones, with Matryoshka heads and without."""
    ax = style.begin(ax, summary, ("recipe", "method", "fraction", "mean", "low", "high", "n"), what="plot_orders")
    for (recipe, method), look in ORDERS.items():
        rows = where(summary, recipe=recipe, method=method)
        if len(rows):
            line(ax, rows, x="fraction", look=look)
    style.percent_axis(ax, summary["fraction"])
    style.percent_ticks(ax)
    ax.set_ylim(0, min(1.01, 1.15 * summary["mean"].max()))  # an interval of few networks may go further
    title = f"own task; bands: {interval_name(summary, over='networks')}"
    return finish(ax, title=title, x="dimensions kept (%, log scale)", y="accuracy (%)")


def orders_words(summary: pd.DataFrame) -> str:
    """Return `plot_orders` in words."""
    parts = []
    for (recipe, method), look in ORDERS.items():
        rows = where(summary, recipe=recipe, method=method)
        if len(rows):
            row = style.nearest(rows, 0.125)
            parts.append(f"{look.words} {100 * row['mean']:.1f} %")
    share = f"{100 * style.nearest(summary, 0.125)['fraction']:.4g} %"
    return f"Line chart of accuracy against the share of dimensions kept. At {share}: {'; '.join(parts)}."


def curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return what random dimensions keep of the whole layer's accuracy, by size and objective, on either side.

    The column `change` is what is kept less that of plain cross-entropy.
    """
    rows = where(table, metric=names.ACCURACY, model=reading.architecture_of(table))
    whole = where(rows, method=names.FULL).set_index(["recipe", "seed", "task"])["value"]
    drawn = where(rows, method=names.RANDOM)
    kept = drawn["value"] / whole.loc[pd.MultiIndex.from_frame(drawn[["recipe", "seed", "task"]])].to_numpy()
    by = ["label", "recipe", "fraction"]
    by_network = drawn.assign(value=kept).groupby([*by, "seed", "repeat"], as_index=False)["value"].mean()
    by_network = by_network.assign(metric=names.KEPT, n=pd.NA, **dict.fromkeys(("sd", "low", "high"), float("nan")))
    summary = summarize(by_network, by)
    plain = where(summary, recipe=names.REFERENCE).set_index(["label", "fraction"])["mean"].rename("plain")
    beside = summary.join(plain, on=["label", "fraction"])
    return summary.assign(change=beside["mean"] - beside["plain"])


def plot_curves(summary: pd.DataFrame) -> Axes:
    """Draw by how much more random dimensions keep of the accuracy than of plain cross-entropy, a line an objective."""
    style.require(summary, ("label", "recipe", "fraction", "mean", "change"), what="plot_curves")
    look = _objective_looks(summary["recipe"])
    grid = panels(summary, size=(2.9, 3.2), sharey=False, col="label", col_order=[names.OWN, names.OTHER])
    for label, ax in grid.axes_dict.items():
        for recipe, rows in where(summary, label=label).groupby("recipe", sort=False):
            line(ax, rows.assign(mean=rows["change"]), x="fraction", look=look[str(recipe)], band=False)
        style.percent_axis(ax, summary["fraction"], fewer=True)
        style.percent_ticks(ax)
        y = "change (points)" if label == names.OWN else ""
        finish(ax, title=str(label), x="dimensions kept (%, log)", y=y, legend=False)
    return style.name_panels(grid, "accuracy kept, less plain cross-entropy; mean over networks")


def curves_words(summary: pd.DataFrame) -> str:
    """Return `plot_curves` in words."""
    parts = []
    for (label, recipe), rows in summary.groupby(["label", "recipe"], sort=False):
        parts.append(
            f"{objective_words(str(recipe))} on {label} {100 * style.nearest(rows, names.FRACTION)['mean']:.1f} %"
        )
    return f"Line charts of the accuracy kept by random dimensions. At a fifth of them: {'; '.join(parts)}."


def _objective_looks(objectives: pd.Series) -> dict[str, Look]:
    """Return the look of every objective, the reference first."""
    known = {names.REFERENCE: Look("", "#000000", "*")}
    drawn = looks(known, list(objectives.unique()))
    return {name: replace(look, words=objective_words(name)) for name, look in drawn.items()}


change = Figure(changes, plot_changes, changes_words, finding=findings.changes)
shape = Figure(
    shapes,
    plot_shapes,
    shapes_words,
    finding=partial(findings.shapes, x=reading.SEPARATION, side=reading.DR_OWN),
)
order = Figure(
    orders,
    plot_orders,
    orders_words,
    finding=partial(findings.orders, recipe="matryoshka", first=names.FIRST_K, fraction=0.125),
)
kept = Figure(curves, plot_curves, curves_words, finding=findings.curves)
