"""Tables of the chapter for readers: what is retained, where the tunnel begins, and the accuracy of classifiers."""

from __future__ import annotations

import pandas as pd

from diffred_core import tunnel
from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.reading import places
from diffred_core.chapters.random_subsets.tables import recipes as recipes
from diffred_core.drawing import Table
from diffred_core.results import summarize, where
from diffred_core.results.readable import readable


def _retained(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the last layer retains of every task and design, with its name and the best layer."""
    columns = {names.RETAINED: "retained", names.RETAINED_HELD_OUT: "held out"}
    rows, key, layers = table[table["task"].notna()], ["method", "task"], places(table)["layer"].tolist()
    reached = {metric: f"{100 * share:g} % from" for metric, share in names.TUNNEL_STARTS.items()}
    metrics = (*columns, names.CORRELATION, names.ALIGNMENT, names.BEST_LAYER, *reached)
    wide = where(rows, metric=metrics).pivot(index=key, columns="metric", values="value")
    limits = where(rows, metric=names.RETAINED_HELD_OUT).set_index(key)[["low", "high"]]
    wide = wide.join(limits).reset_index().rename(columns={"method": "design", names.CORRELATION: "correlation"})
    wide["task"] = wide["task"].map(readable)
    wide["design"] = wide["design"].replace(names.IN_DISTRIBUTION, "reference")
    wide["strength"] = wide[names.RETAINED].map(tunnel.strength)
    for metric, name in {names.BEST_LAYER: "best layer", **reached}.items():
        wide[name] = [None if pd.isna(place) else layers[int(place) - 1] for place in wide[metric]]
    wide = wide.rename(columns=columns).rename_axis(columns=None)
    shown = [
        "design",
        "task",
        *columns.values(),
        "low",
        "high",
        "correlation",
        names.ALIGNMENT,
        "strength",
        "best layer",
    ]
    shown += reached.values()
    return wide[[name for name in shown if name in wide]]


def _network_retained(table: pd.DataFrame) -> pd.DataFrame:
    """Return what every kind of network retains of every OOD task, and how the task goes with the one trained on."""
    other, kind = where(table, method=names.TRANSFER), [*names.KIND, "task"]
    retained = summarize(other, kind, metric=names.RETAINED)[[*kind, "mean", "low", "high"]]
    retained["strength"] = retained["mean"].map(tunnel.strength)
    if names.CORRELATION in set(other["metric"]):  # an accuracy that is the same in all layers has none
        means = summarize(other, kind, metric=names.CORRELATION).rename(columns={"mean": "ID/OOD correlation"})
        retained = retained.merge(means[[*kind, "ID/OOD correlation"]], how="left")
    return _in_words(retained)


def _classifiers(table: pd.DataFrame) -> pd.DataFrame:
    rows = summarize(table, names.KIND, metric=names.CLASSIFIER)[[*names.KIND, "mean", "low", "high"]]
    return _in_words(rows.assign(**100 * rows[["mean", "low", "high"]].astype(float)))


def _in_words(rows: pd.DataFrame) -> pd.DataFrame:
    kinds = [names.network_words(row.label, row.recipe) for row in rows.itertuples()]
    read = {column: [readable(name) for name in rows[column]] for column in ("model", "task") if column in rows}
    return rows.assign(network=kinds, **read)[["model", "network", *[name for name in rows if name not in names.KIND]]]


retained = Table(
    _retained,
    "Retained: accuracy of the last layer in percent of the best layer's, as published; strength is its published "
    "name. Held out: best layer chosen on validation images, 95 % bootstrap interval over both. 95 % from: first layer "
    "that reaches 95 % of the last layer's accuracy (Masarczyk et al. 2023).",
    2,
)
network_retained = Table(
    _network_retained,
    "OOD performance retained in percent, 95 % interval over networks; strength: its published name; correlation of ID "
    "and OOD accuracy over layers, mean over networks.",
    2,
)
classifiers = Table(
    _classifiers,
    "Accuracy of the networks' own classifiers on test images, in percent, 95 % interval over networks.",
    1,
)
