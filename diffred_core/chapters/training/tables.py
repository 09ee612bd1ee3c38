"""Tables of the chapter for readers: numbers a seed, simulated beside the closed form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd

from diffred_core.chapters.training import names
from diffred_core.drawing import Table
from diffred_core.results import summarize, where

OVER = "Low, high: 95 % t interval over seeds."
KEYS = ["metric", "recipe", "label"]


def numbers(measures: Mapping[str, str], caption: str) -> Table:
    """Return the table of metrics that have one number a seed.

    Parameters
    ----------
    measures : mapping
        Words of the metrics that are listed, in their order.
    caption : str
        What the table holds; the meaning of its interval is put behind it.
    """
    return Table(partial(numbers_by_setting, measures), f"{caption} {OVER}")


def numbers_by_setting(measures: Mapping[str, str], table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a metric, setting and label: the mean over seeds, its interval, the closed form; three digits."""
    rows = where(table[table["at"].isna()], layer=names.SIMULATION, metric=tuple(measures))
    means = summarize(rows, [*KEYS, "method"])
    theory = where(means, method=names.THEORY)[[*KEYS, "mean"]].rename(columns={"mean": names.THEORY})
    shown = where(means, method=names.MEASURED).merge(theory, on=KEYS, how="left")
    order = list(rows[KEYS].drop_duplicates().itertuples(index=False, name=None))
    places = [order.index(key) for key in shown[KEYS].itertuples(index=False, name=None)]
    shown = shown.assign(place=places, number=shown["metric"].map(list(measures).index))
    shown = shown.sort_values(["number", "place"], kind="stable").rename(columns={"mean": names.MEASURED})
    shown = shown.assign(measure=shown["metric"].map(measures)).rename(columns={"recipe": "setting", "label": "of"})
    numeric = [names.MEASURED, "low", "high", names.THEORY]
    shown[numeric] = shown[numeric].map(lambda value: None if pd.isna(value) else f"{value:.3g}")
    return shown[["measure", "setting", "of", *numeric]].dropna(axis=1, how="all").reset_index(drop=True)
