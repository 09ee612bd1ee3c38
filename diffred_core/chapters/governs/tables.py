"""Tables of one factor on one task for readers: every network, every pair, and equal numbers beside equal shares."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.governs import names
from diffred_core.drawing import Table
from diffred_core.results import where
from diffred_core.results.claims import percent

HEADS = {  # of the measures that are compared, in their order
    names.FIRST: "DR, first",
    names.NEAREST: "DR, nearest",
    names.NEEDED: "features needed",
    names.SHARE: "share needed",
    names.EXCESS: "CKA above null",
    names.GINI: "Gini",
    names.GINI_RISE: "Gini rise",
}


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
    """Return a row a network with what is measured of it; of features the number, not its logarithm."""
    rows = compared(table, names.RANDOM)
    values = rows["value"].where(rows["metric"] != names.NEEDED, 2 ** rows["value"].astype(float))
    wide = rows.assign(value=values.astype(float)).pivot(index="model", columns="measure", values="value")
    whole = where(table, method=names.RANDOM, metric=names.MEAN_ACCURACY, fraction=1.0).set_index("model")
    shown = whole[["n_features"]].assign(accuracy=100 * whole["value"]).join(wide[rows["measure"].unique()])
    return shown.reset_index().rename(columns={"n_features": "features", "accuracy": "accuracy (%)"})


def by_pair(table: pd.DataFrame) -> pd.DataFrame:
    """Return every paired difference with its interval; of the number of features as doublings."""
    rows = compared(table, names.DIFFERENCE)
    doublings = rows["measure"].str.replace("features needed", "features needed (doublings)")
    sides = rows["model"] + " less " + rows["label"]
    shown = pd.DataFrame({"measure": doublings, "networks": sides, "difference": rows["value"]})
    return shown.join(rows[["low", "high"]])


def at_equal_size(table: pd.DataFrame) -> pd.DataFrame:
    """Return what every network keeps of its accuracy at equal shares, then at equal numbers, in percent."""
    rows = where(table, method=names.RANDOM, metric=names.KEPT)
    share = rows["fraction"].map(lambda fraction: None if pd.isna(fraction) else percent(fraction))
    size = share.where(rows["fraction"].notna(), rows["n_selected"].astype("string"))
    wide = rows.assign(size=size, value=100 * rows["value"]).pivot(index="size", columns="model", values="value")
    wide = wide.loc[size.unique(), rows["model"].unique()]
    return wide.rename_axis(columns=None).reset_index().rename(columns={"size": "features kept"})


networks = Table(
    by_network,
    "Every network with all of its features, and what a random part needs or shows. DR: diffused redundancy, the share "
    f"that can go at 90 and 95 % of the accuracy, by both estimators; CKA above null, Gini (over classes, mean of "
    f"single draws) and its rise over the whole layer beyond chance: at {percent(names.FRACTION)} of the features.",
)
pairs = Table(
    by_pair,
    "Paired differences, with their interval over draws and test rows, at the level of the sweep. One doubling: twice "
    "as many features.",
)
equal_sizes = Table(
    at_equal_size,
    "Share of its own accuracy, in percent, that each network keeps with as many features, mean over draws."
    " Rows in percent are an equal share of each layer, the others an equal number of features.",
    digits=1,
)
