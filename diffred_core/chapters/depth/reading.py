"""A table of layers made ready for figures: one row a layer and line, with its interval, in execution order."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from diffred_core import results

_LINE = ["method", "task", "metric", "layer"]


def by_layer(table: pd.DataFrame, metrics: Sequence[str], *, level: float = 0.95) -> pd.DataFrame:
    """Return the values of some metrics of `sweeps.layers` by layer.

    Parameters
    ----------
    table : DataFrame
        From `sweeps.layers`.
    metrics : sequence of str
    level : float
        Coverage of the intervals: over repeats where there are several, else the limits that the table has.

    Returns
    -------
    DataFrame
        Columns place (of the layer, from 1), layer, n_features, method, task, metric, mean, low, high, n, level; low
        and high are missing where there is no interval.

    Raises
    ------
    InputError
        If the table has none of the metrics.
    """
    order = {layer: place for place, layer in enumerate(dict.fromkeys(table["layer"]), start=1)}
    rows = table[table["metric"].isin(metrics)]
    found = results.summarize(rows, _LINE, level=level, metric=None if len(rows) else metrics[0]).set_index(_LINE)
    for end in ("low", "high"):
        limits = table[table["metric"].isin([f"{metric}_{end}" for metric in metrics])]
        limits = limits.assign(metric=limits["metric"].str.removesuffix(f"_{end}")).set_index(_LINE)["value"]
        found[end] = found[end].astype(float).fillna(limits.reindex(found.index))
    widths = table.groupby("layer")["n_features"].first()
    found = found.reset_index().assign(
        place=lambda t: t["layer"].map(order), n_features=lambda t: t["layer"].map(widths)
    )
    return found.sort_values(["metric", "method", "task", "place"], ignore_index=True)
