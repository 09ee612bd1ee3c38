"""Selecting rows of a results table; mean, interval and number of repeats of its groups."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from diffred_core import intervals
from diffred_core.errors import InputError

_SPREAD = ("value", "repeat", "n", "sd", "low", "high")  # columns that a mean and its limits are made of


def where(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Return the rows whose columns have these values; where several are given in a tuple, one of them."""
    for column, value in values.items():
        table = table[table[column].isin(value) if isinstance(value, tuple) else table[column] == value]
    return table


def summarize(
    table: pd.DataFrame, by: str | Sequence[str], *, metric: str | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Return the mean of every group with its interval.

    A group of several rows (repeats: draws, seeds) has the Student t interval of their mean. A group of one row has the
    interval that the row itself brings: the one of its `sd` and `n`, where the value is a mean over n (episodes), which
    is the interval that n rows would give; else the limits `low` and `high` that the sweep gave it, at the sweep's own
    level.

    Parameters
    ----------
    table : DataFrame
        A results table.
    by : str or sequence of str
        Columns that make a group; an empty cell is a group of its own.
    metric : str, optional
        Keep only the rows of this metric; needed if the table holds several and `by` does not tell them apart.
    level : float, default=0.95
        Coverage of the intervals that are computed here.

    Returns
    -------
    DataFrame
        Columns `by`, then mean, low, high, n, level. Low and high are missing where there is no interval.

    Raises
    ------
    InputError
        If a group would mix metrics, single draws with what is pooled over draws (column `repeat` is empty), or several
        means over episodes; or if nothing is left.
    """
    intervals.check_level(level)
    by = [by] if isinstance(by, str) else list(by)
    rows = table if metric is None else table[table["metric"] == metric]
    _refuse_empty_or_mixed(table, rows, by, metric)
    grouped = rows.groupby(by, dropna=False, sort=True)
    summary = grouped["value"].agg(mean="mean").reset_index()
    places = np.argsort(of := grouped.ngroup().to_numpy(), kind="stable")
    numbers = {name: rows[name].to_numpy(dtype=float, na_value=np.nan)[places] for name in _SPREAD}
    ends = [*np.flatnonzero(np.diff(of[places])) + 1, len(rows)]
    groups = ({name: column[i:j] for name, column in numbers.items()} for i, j in itertools.pairwise([0, *ends]))
    summary["low"], summary["high"], summary["n"] = zip(*(_spread(one, by, level) for one in groups), strict=True)
    return summary.assign(level=level)[[*by, "mean", "low", "high", "n", "level"]]


def _spread(group: Mapping[str, np.ndarray], by: Sequence[str], level: float) -> tuple[float, float, int]:
    """Return the limits of the mean of a group, from its columns, and the number of what it is the mean of."""
    known = {name: ~np.isnan(column) for name, column in group.items()}
    if len(group["value"]) > 1:
        if known["n"].any():
            raise InputError(
                f"several means over episodes share a group of {', '.join(by)}; add the column that differs"
            )
        if known["repeat"].any() and not known["repeat"].all():
            raise InputError(
                f"a group of {', '.join(by)} mixes single draws with what is pooled over draws; keep one of them, by "
                "whether the column 'repeat' is empty"
            )
        _, low, high = intervals.mean_interval(group["value"], level=level)
        return float(low), float(high), len(group["value"])
    value, sd, n, low, high = (float(group[name][0]) for name in ("value", "sd", "n", "low", "high"))
    if known["n"][0] and known["sd"][0] and n > 1:
        _, low, high = intervals.t_interval(value, sd / n**0.5, degrees=int(n) - 1, level=level)
    return low, high, int(n) if known["n"][0] else 1


def _refuse_empty_or_mixed(table: pd.DataFrame, rows: pd.DataFrame, by: list[str], metric: str | None) -> None:
    known = sorted(table["metric"].dropna().unique())
    if rows.empty:
        raise InputError(f"metric must be one of {', '.join(known) or 'none: the table is empty'}, got {metric!r}")
    if metric is None and "metric" not in by and len(known) > 1:
        raise InputError(f"metric must be one of {', '.join(known)}, got None; name it, or add 'metric' to by")
