"""Mean and interval over episodes, from rows that keep what the interval needs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from diffred_core import intervals
from diffred_core.errors import InputError

SPREAD, COUNT = "_sd", "_n"  # of the metric: its standard deviation over episodes, and how many they are


def summarize_episodes(
    table: pd.DataFrame, by: str | Sequence[str], *, metric: str, level: float = 0.95
) -> pd.DataFrame:
    """Return the mean over episodes of every group, with its Student t interval.

    Thousands of episodes are three rows of a table: their mean, their standard deviation (``<metric>_sd``) and their
    number (``<metric>_n``). The interval of the mean is made of these alone, so it is the one that a row an
    episode would give. It speaks of new episodes of the same images.

    Parameters
    ----------
    table : DataFrame
        A results table with these rows.
    by : str or sequence of str
        Columns that tell the groups apart; an empty cell is a group of its own.
    metric : str
        Name of the mean.
    level : float, default=0.95
        Coverage of the interval.

    Returns
    -------
    DataFrame
        Columns `by`, then mean, low, high, n, level.

    Raises
    ------
    InputError
        If the metric has no rows, lacks one of its companions, or several of its rows fall into a group.
    """
    by = [by] if isinstance(by, str) else list(by)
    parts = {name: _column(table, by, metric + ending) for name, ending in _ENDINGS.items()}
    summary = pd.concat(parts, axis=1).reset_index()
    if summary[["sd", "n"]].isna().any(axis=None):
        raise InputError(f"expected {metric}{SPREAD} and {metric}{COUNT} beside every {metric}; run the sweep again")
    bounds = [_bounds(row, level) for row in summary.itertuples()]
    summary["low"], summary["high"] = zip(*bounds, strict=True)
    return summary.astype({"n": int}).assign(level=level)[[*by, "mean", "low", "high", "n", "level"]]


_ENDINGS = {"mean": "", "sd": SPREAD, "n": COUNT}


def _column(table: pd.DataFrame, by: list[str], metric: str) -> pd.Series:
    rows = table[table["metric"] == metric]
    if rows.empty:
        known = sorted(set(table["metric"].dropna()))
        raise InputError(f"metric must be one of {', '.join(known) or 'none: the table is empty'}, got {metric!r}")
    grouped = rows.groupby(by, dropna=False, sort=True)["value"]
    if (grouped.size() > 1).any():
        raise InputError(f"several rows of {metric!r} share a group of {', '.join(by)}; add the column that differs")
    return grouped.first()


def _bounds(row, level: float) -> tuple[float, float]:
    _, low, high = intervals.t_interval(row.mean, row.sd / row.n**0.5, degrees=int(row.n) - 1, level=level)
    return low, high
