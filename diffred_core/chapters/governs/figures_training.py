"""Figures of networks trained here: what objectives change, why, and the first features among random ones."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from diffred_core.chapters.governs import names_training as names
from diffred_core.chapters.governs import training_reading as reading
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
    grid = panels(summary, size=(4.4, 1.4 + 0.32 * len(order)), col="measure", col_order=list(SIDES))
    for measure, ax in grid.axes_dict.items():
        rows = where(summary, measure=measure)
        ax.axvspan(-names.MARGIN, names.MARGIN, color="#EEEEEE", linewidth=0, zorder=0)
        ax.axvline(0, color=GREY, linewidth=1)
        places = rows["objective"].map(order.index)
        ax.hlines(places, rows["low"].astype(float), rows["high"].astype(float), color=COLOURS[0], linewidth=1.6)
        ax.plot(rows["mean"], places, "o", color=COLOURS[0], markersize=5)
        ax.set_yticks(range(len(order)), order, fontsize=9)
        ax.set_xlim(max(-1.0, ax.get_xlim()[0]), min(1.0, ax.get_xlim()[1]))  # an interval of few pairs may go further
        finish(ax, title=SIDES[measure], x=f"change of DR({names.DELTA:g})", y="", legend=False)
    title = f"less plain cross-entropy; grey: within {names.MARGIN:g}\nbars: {interval_name(summary, over='pairs')}"
    return style.name_panels(grid, title)


def changes_words(summary: pd.DataFrame) -> str:
    """Return `plot_changes` in words."""
    parts = []
    for objective, rows in summary.groupby("objective", sort=False):
        by = rows.set_index("measure")["mean"]
        parts.append(
            f"{objective} {by[reading.DR_OWN]:+.3f} and {by[reading.DR_OTHER]:+.3f} ({rows['reason'].iloc[0]})"
        )
    return (
        f"Dot chart of the change of DR({names.DELTA:g}) from plain cross-entropy, on the own task and on other tasks; "
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
    known = {names.REFERENCE: Look("cross_entropy", "#000000", "*")}
    look = looks(known, list(summary["objective"].unique()))
    grid = panels(summary, size=(4.2, 3.1), row="side", col="shape", row_order=list(SIDES), col_order=list(AXES))
    for (side, shape), ax in grid.axes_dict.items():
        for objective, rows in where(summary, side=side, shape=shape).groupby("objective", sort=False):
            of = look[str(objective)]
            ax.plot(rows["x"], rows["mean"], of.marker, color=of.colour, label=objective, markersize=8, linestyle="")
        ax.xaxis.set_major_locator(MaxNLocator(4))
        finish(ax, title=SIDES[side], x=AXES[shape], y=f"DR({names.DELTA:g})", legend=False)
    return style.name_panels(grid, "further right: more collapsed (left panels), more spread (right panels)")


def shapes_words(summary: pd.DataFrame) -> str:
    """Return `plot_shapes` in words."""
    parts = []
    for objective, rows in summary.groupby("objective", sort=False):
        x = rows.drop_duplicates("shape").set_index("shape")["x"]
        y = rows.drop_duplicates("side").set_index("side")["mean"]
        parts.append(
            f"{objective} R² {x[reading.SEPARATION]:.2f}, RankMe {x[reading.RANKME]:.1f}, DR {y[reading.DR_OWN]:.2f} "
            f"own and {y[reading.DR_OTHER]:.2f} other"
        )
    return f"Scatter charts of diffused redundancy against class separation and rank, by objective: {'; '.join(parts)}."


def orders(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy by size of the first and of random features on the own task, with Matryoshka heads and not."""
    rows = where(table, metric=names.ACCURACY, label=names.OWN, model=reading.architecture_of(table))
    rows = where(rows, method=(names.FIRST_K, names.RANDOM))
    rows = rows.assign(recipe=rows["recipe"].str.partition(":")[0])
    return summarize(where(rows, recipe=("matryoshka", names.REFERENCE)), ["recipe", "method", "fraction"])


def plot_orders(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy against the share of features, first and random ones, with Matryoshka heads and without."""
    ax = style.begin(ax, summary, ("recipe", "method", "fraction", "mean", "low", "high", "n"), what="plot_orders")
    for (recipe, method), look in ORDERS.items():
        rows = where(summary, recipe=recipe, method=method)
        if len(rows):
            line(ax, rows, x="fraction", look=look)
    style.percent_axis(ax, summary["fraction"])
    style.percent_ticks(ax)
    ax.set_ylim(0, 1.01)  # an interval of few networks may go further
    title = f"own task; bands: {interval_name(summary, over='networks')}"
    return finish(ax, title=title, x="features kept (%)", y="accuracy (%)")


def orders_words(summary: pd.DataFrame) -> str:
    """Return `plot_orders` in words."""
    parts = []
    for (recipe, method), look in ORDERS.items():
        rows = where(summary, recipe=recipe, method=method)
        if len(rows):
            row = style.nearest(rows, 0.125)
            parts.append(f"{look.words} {100 * row['mean']:.1f} %")
    share = f"{100 * style.nearest(summary, 0.125)['fraction']:.4g} %"
    return f"Line chart of accuracy against the share of features kept. At {share}: {'; '.join(parts)}."


def curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return what random features keep of the whole layer's accuracy, by size and objective, on either side."""
    rows = where(table, metric=names.ACCURACY, model=reading.architecture_of(table))
    whole = where(rows, method=names.FULL).set_index(["recipe", "seed", "task"])["value"]
    drawn = where(rows, method=names.RANDOM)
    kept = drawn["value"] / whole.loc[pd.MultiIndex.from_frame(drawn[["recipe", "seed", "task"]])].to_numpy()
    by = ["label", "recipe", "fraction"]
    by_network = drawn.assign(value=kept).groupby([*by, "seed", "repeat"], as_index=False)["value"].mean()
    return summarize(
        by_network.assign(metric=names.KEPT, n=pd.NA, sd=float("nan"), low=float("nan"), high=float("nan")), by
    )


def plot_curves(summary: pd.DataFrame) -> Axes:
    """Draw the share of the accuracy that random features keep against their share, one line an objective."""
    style.require(summary, ("label", "recipe", "fraction", "mean"), what="plot_curves")
    look = looks({names.REFERENCE: Look("cross_entropy", "#000000", "*")}, list(summary["recipe"].unique()))
    grid = panels(summary, size=(4.4, 3.4), col="label", col_order=[names.OWN, names.OTHER])
    for label, ax in grid.axes_dict.items():
        for recipe, rows in where(summary, label=label).groupby("recipe", sort=False):
            line(ax, rows, x="fraction", look=look[str(recipe)], label=str(recipe), band=False)
        style.percent_axis(ax, summary["fraction"], fewer=True)
        style.percent_ticks(ax)
        y = "accuracy kept (%)" if label == names.OWN else ""
        finish(ax, title=str(label), x="features kept (%)", y=y, legend=False)
    return style.name_panels(grid, "mean over networks and tasks")


def curves_words(summary: pd.DataFrame) -> str:
    """Return `plot_curves` in words."""
    parts = []
    for (label, recipe), rows in summary.groupby(["label", "recipe"], sort=False):
        parts.append(f"{recipe} on {label} {100 * style.nearest(rows, names.FRACTION)['mean']:.1f} %")
    return f"Line charts of the accuracy kept by random features. At a fifth of them: {'; '.join(parts)}."


change = Figure(changes, plot_changes, changes_words)
shape = Figure(shapes, plot_shapes, shapes_words)
order = Figure(orders, plot_orders, orders_words)
kept = Figure(curves, plot_curves, curves_words)
