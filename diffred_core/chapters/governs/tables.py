"""Tables of one factor on one task for readers: every network, every pair, and equal numbers beside equal shares."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.governs import names
from diffred_core.drawing import Table
from diffred_core.results import where
from diffred_core.results.claims import percent
from diffred_core.results.readable import readable

HEADS = {  # of the measures that are compared, in their order
    names.FIRST: "DR, first",
    names.NEAREST: "DR, nearest",
    names.NEEDED: "dimensions needed",
    names.SHARE: "share needed",
    names.EXCESS: "CKA above null",
    names.GINI: "Gini",
    names.GINI_RISE: "Gini rise",
}

OF_LAYER = (names.FIRST, names.NEAREST, names.SHARE)  # shares of the layer, for readers in percent


def compared(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return the rows of the measures that have one value a network, with their words as column measure.

    Accuracies at single sizes are not among them; of the measures in `HEADS` all are, in that order.
    """
    rows = where(table, method=method, metric=tuple(HEADS))
    at = rows["delta"].map(lambda delta: "" if pd.isna(delta) else f" at {percent(delta)}")
    order = rows["metric"].map(list(HEADS).index)
    rows = rows.assign(measure=rows["metric"].map(HEADS) + at, place=order)
    return rows.sort_values(["place", "delta"], kind="stable").drop(columns="place")


def by_network(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a network with what is measured of it; of dimensions the number, not its logarithm."""
    rows = compared(table, names.RANDOM)
    values = rows["value"].where(rows["metric"] != names.NEEDED, 2 ** rows["value"].astype(float)).astype(float)
    in_percent = rows["metric"].isin(OF_LAYER)
    rows = rows.assign(measure=rows["measure"] + in_percent.map({True: " (%)", False: ""}))
    wide = rows.assign(value=values.where(~in_percent, 100 * values)).pivot(
        index="model", columns="measure", values="value"
    )
    whole = where(table, method=names.RANDOM, metric=names.MEAN_ACCURACY, fraction=1.0).set_index("model")
    shown = whole[["n_features"]].assign(accuracy=100 * whole["value"]).join(wide[rows["measure"].unique()])
    return (
        shown.reset_index()
        .assign(model=lambda rows: rows["model"].map(readable))
        .rename(columns={"n_features": "dimensions", "accuracy": "accuracy (%)"})
    )


def by_pair(table: pd.DataFrame) -> pd.DataFrame:
    """Return every paired difference with its interval; of the number of dimensions as doublings."""
    rows = compared(table, names.DIFFERENCE)
    of_layer = rows["metric"].isin(OF_LAYER)
    rows = rows.assign(measure=rows["measure"] + of_layer.map({True: " (points)", False: ""}))
    points = rows[["value", "low", "high"]].astype(float).mul(of_layer.map({True: 100.0, False: 1.0}), axis=0)
    doublings = rows["measure"].str.replace("dimensions needed", "dimensions needed (doublings)")
    sides = rows["model"].map(readable) + " less " + rows["label"].map(readable)
    shown = pd.DataFrame({"measure": doublings, "networks": sides, "difference": points["value"]})
    return shown.join(points[["low", "high"]])


def at_equal_size(table: pd.DataFrame) -> pd.DataFrame:
    """Return what every network keeps of its accuracy at equal shares, then at equal numbers, in percent."""
    rows = where(table, method=names.RANDOM, metric=names.KEPT)
    share = rows["fraction"].map(lambda fraction: None if pd.isna(fraction) else percent(fraction))
    size = share.where(rows["fraction"].notna(), rows["n_selected"].astype("string"))
    wide = rows.assign(size=size, value=100 * rows["value"]).pivot(index="size", columns="model", values="value")
    wide = wide.loc[size.unique(), rows["model"].unique()]
    return (
        wide.rename(columns=readable)
        .rename_axis(columns=None)
        .reset_index()
        .rename(columns={"size": "dimensions kept"})
    )


networks = Table(
    by_network,
    "Every network with all of its dimensions, and what a random part needs or shows. DR: diffused redundancy, the "
    f"share that can go at 90 and 95 % of the accuracy, by both estimators; CKA above null, Gini (over classes, "
    f"mean of single draws) and its rise over the whole layer beyond chance: at {percent(names.FRACTION)} of them.",
)
pairs = Table(
    by_pair,
    "Paired differences, with their interval over draws and test rows, at the level of the sweep. One doubling: twice "
    "as many dimensions.",
)
equal_sizes = Table(
    at_equal_size,
    "Share of its own accuracy, in percent, that each network keeps with as many dimensions, mean over draws."
    " Rows in percent are an equal share of each layer, the others an equal number of dimensions.",
    digits=1,
)
