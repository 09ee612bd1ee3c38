"""How much of redundancy is the model, the task, and what the two do together: a crossed design, both sides random.

Every model meets every task, and the draws of a cell repeat it. With m models, t tasks and r draws the mean squares of
the two-way analysis of variance have the expectations (Searle, Casella and McCulloch 1992, chapter 4)::

    E MS_model       = s_draw + r s_both + r t s_model        m - 1 degrees of freedom
    E MS_task        = s_draw + r s_both + r m s_task         t - 1
    E MS_both        = s_draw + r s_both                      (m - 1)(t - 1)
    E MS_draw        = s_draw                                 m t (r - 1)

The components are solved from them, negative ones set to 0. Intervals are generalised confidence intervals (Weerahandi
1993; for this design Burdick, Borror and Montgomery 2005, chapter 3): each mean square is replaced by its value times
its degrees of freedom over a chi-squared draw of as many. They speak of new models and new tasks, and are wide where
there are few, which a resampling of five tasks would not be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from diffred_core.chapters.governs import names
from diffred_core.chapters.random_subsets.names import HEADLINE
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.results.rows import KEYS, Row

MODEL, TASK, BOTH, DRAW = "model", "task", "model and task together", "draw"
SOURCES = (MODEL, TASK, BOTH, DRAW)
VARIANCE_SHARE = "variance_share"
N_DRAWS = 20_000


class Shares(NamedTuple):
    """Shares of the variance by source, with their limits; three arrays (4,), in the order of `SOURCES`."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def variance_shares(cells: np.ndarray, *, level: float = 0.95, n_draws: int = N_DRAWS, seed: int = 0) -> Shares:
    """Return how much of the variance of a crossed design is each source's.

    Parameters
    ----------
    cells : ndarray (n_models, n_tasks, n_repeats)
        At least 2 of each.
    level : float
        Coverage of the limits.
    n_draws, seed : int
        Of the generalised intervals.

    Returns
    -------
    Shares
        They sum to 1; NaN where nothing varies.

    Raises
    ------
    InputError
        If there are fewer than two models, tasks or repeats, or a value is not finite.
    """
    if cells.ndim != 3 or min(cells.shape) < 2 or not np.isfinite(cells).all():
        raise InputError(
            f"expected finite values of at least 2 models, 2 tasks and 2 repeats, got shape {cells.shape}; "
            "variance has no shares without"
        )
    squares, degrees = mean_squares(cells)
    rng = np.random.default_rng(seed)
    pivots = squares * degrees / rng.chisquare(degrees, size=(n_draws, 4))
    drawn = _shares(pivots, cells.shape)
    low, high = np.nanquantile(drawn, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    return Shares(_shares(squares[None], cells.shape)[0], low, high)


def mean_squares(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean squares of `SOURCES` of `cells` (n_models, n_tasks, n_repeats), and their degrees of freedom."""
    m, t, r = cells.shape
    cell, total = cells.mean(2), cells.mean()
    by_model, by_task = cell.mean(1), cell.mean(0)
    together = cell - by_model[:, None] - by_task + total
    sums = [r * t * ((by_model - total) ** 2).sum(), r * m * ((by_task - total) ** 2).sum()]
    sums += [r * (together**2).sum(), ((cells - cell[..., None]) ** 2).sum()]
    degrees = np.array([m - 1, t - 1, (m - 1) * (t - 1), m * t * (r - 1)])
    return np.array(sums) / degrees, degrees


def _shares(squares: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the shares (n, 4) of the components that mean squares (n, 4) stand for."""
    m, t, r = shape
    model, task, both, draw = squares.T
    parts = np.stack([(model - both) / (r * t), (task - both) / (r * m), (both - draw) / r, draw], axis=1).clip(min=0)
    with np.errstate(invalid="ignore"):  # 0 / 0 where nothing varies
        shares: np.ndarray = parts / parts.sum(1, keepdims=True)
    return shares


def crossed(probes: pd.DataFrame, *, metric: str, delta: float, probe: str = HEADLINE) -> pd.DataFrame:
    """Return a measure of every draw of the models that have been run on all tasks, one row a model and task.

    Parameters
    ----------
    probes : DataFrame
        Tables of subset_probes.
    metric : str
        ``diffused_redundancy_first``, ``diffused_redundancy_nearest``, or ``log2_features_needed``: the logarithm of
        the number of dimensions that the first of these leaves.
    delta : float
        Share of the accuracy to be kept.
    probe : str
        Which probe.

    Returns
    -------
    DataFrame
        Indexed by model and task, a column a draw; empty unless two models have two tasks in common.
    """
    read = names.FIRST if metric == names.NEEDED else metric
    rows = where(probes, probe=probe, method=names.RANDOM, metric=read, delta=delta).dropna(subset="repeat")
    values = rows["value"].astype(float)
    if metric == names.NEEDED:
        values = np.log2((1 - values) * rows["n_features"].astype(float))
    wide = rows.assign(value=values).pivot_table(index=KEYS[::-1], columns="repeat", values="value")
    wide = wide.dropna(axis=1)
    n_tasks = wide.groupby("model").size()
    whole = wide[wide.index.get_level_values("model").isin(n_tasks[n_tasks == rows["task"].nunique()].index)]
    counts = [whole.index.get_level_values(name).nunique() for name in KEYS]
    return whole.sort_index() if min(*counts, whole.shape[1]) > 1 else whole.iloc[:0]


def share_rows(probes: pd.DataFrame, *, level: float = 0.95) -> Iterator[Row]:
    """Yield the variance shares of the measures of redundancy, at the deltas of the chapter; none if uncrossed."""
    for metric in (names.FIRST, names.NEAREST, names.NEEDED):
        for delta in names.DELTAS:
            cells = crossed(probes, metric=metric, delta=delta)
            if cells.empty:
                continue
            values = cells.to_numpy().reshape(cells.index.get_level_values("model").nunique(), -1, cells.shape[1])
            for source, value, low, high in zip(SOURCES, *variance_shares(values, level=level), strict=True):
                limits: Row = {"value": float(value), "low": float(low), "high": float(high), "delta": delta}
                yield limits | {"metric": VARIANCE_SHARE, "method": source, "label": metric, "n": len(cells)}
