"""Mean, interval and number of repeats of the groups of a results table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from diffred_core import intervals
from diffred_core.errors import InputError


def summarize(
    table: pd.DataFrame, by: str | Sequence[str], *, metric: str | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Return the mean over repeats of every group, with its Student t interval.

    Parameters
    ----------
    table : DataFrame
        A results table.
    by : str or sequence of str
        Columns that make a group; an empty cell is a group of its own.
    metric : str, optional
        Keep only the rows of this metric; needed if the table holds several and `by` does not tell them apart.
    level : float, default=0.95
        Coverage of the interval.

    Returns
    -------
    DataFrame
        Columns `by`, then mean, low, high, n, level. A group of one measurement has no interval: low and high
        are missing.

    Raises
    ------
    InputError
        If a group would mix metrics, or nothing is left.
    """
    by = [by] if isinstance(by, str) else list(by)
    rows = table if metric is None else table[table["metric"] == metric]
    _refuse_empty_or_mixed(table, rows, by, metric)
    grouped = rows.groupby(by, dropna=False, sort=True)["value"]
    summary = grouped.agg(mean="mean", n="size").reset_index()
    bounds = [_interval(values, level) for _, values in grouped]
    summary["low"], summary["high"] = zip(*bounds, strict=True)
    return summary.assign(level=level)[[*by, "mean", "low", "high", "n", "level"]]


def _interval(values: pd.Series, level: float) -> tuple[float, float]:
    if len(values) < 2:
        return float("nan"), float("nan")
    _, low, high = intervals.mean_interval(values.to_numpy(dtype=float), level=level)
    return float(low), float(high)


def _refuse_empty_or_mixed(table: pd.DataFrame, rows: pd.DataFrame, by: list[str], metric: str | None) -> None:
    known = sorted(table["metric"].dropna().unique())
    if rows.empty:
        raise InputError(f"metric must be one of {', '.join(known) or 'none: the table is empty'}, got {metric!r}")
    if metric is None and "metric" not in by and len(known) > 1:
        raise InputError(f"metric must be one of {', '.join(known)}, got None; name it, or add 'metric' to by")
