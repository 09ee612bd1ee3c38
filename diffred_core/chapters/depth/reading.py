"""A table of the chapter made ready for figures: one row a layer and line, with its interval, in execution order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from diffred_core import results
from diffred_core.chapters.depth.names import AS_PUBLISHED, SELECTED_EPOCH

_LINE = ["model", "label", "recipe", "method", "task", "metric", "layer"]


def by_layer(table: pd.DataFrame, metrics: Sequence[str], *, level: float = 0.95) -> pd.DataFrame:
    """Return the values of some metrics of `layers`, or of `small_networks`, by layer.

    Parameters
    ----------
    table : DataFrame
        From one of these sweeps.
    metrics : sequence of str
        The accuracy is that of the chosen probe, not of the published one.
    level : float
        Coverage of the intervals: over repeats where there are several, else the limits that the table has.

    Returns
    -------
    DataFrame
        Columns model, label, recipe, method, task, metric, layer, mean, low, high, n, level, place (of the layer in its
        model, from 1), n_features; low and high are missing where there is no interval.

    Raises
    ------
    InputError
        If the table has none of the metrics.
    """
    rows = table[table["metric"].isin(metrics) & ~table["label"].isin([AS_PUBLISHED, SELECTED_EPOCH])]
    means = results.summarize(rows, _LINE, level=level, metric=None if len(rows) else metrics[0])
    return means.merge(places(table), on=["model", "layer"]).sort_values([*_LINE[:-1], "place"], ignore_index=True)


def places(table: pd.DataFrame) -> pd.DataFrame:
    """Return the layers of every model in execution order: model, layer, n_features, and place from 1."""
    layers = table.drop_duplicates(["model", "layer"])[["model", "layer", "n_features"]]
    return layers.assign(place=layers.groupby("model").cumcount() + 1)


def percent_range(percents: Iterable[float]) -> str:
    """Return percents in words, the least and the greatest of several: ``94.8 to 97.6 %``."""
    values = list(percents)
    low, high = f"{min(values):.1f}", f"{max(values):.1f}"
    return f"{low} %" if low == high else f"{low} to {high} %"


def ordinal(number: int) -> str:
    """Return the place of a layer in words: ``1st``, ``12th``, ``22nd``."""
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
