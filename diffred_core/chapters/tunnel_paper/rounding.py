"""How far recomputed statistics can be from those of the authors because the table holds rounded values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from diffred_core.chapters.tunnel_paper.checks import in_file_order
from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS, GROUPS, pairs, select
from diffred_core.chapters.tunnel_paper.networks import FULL, METRICS, networks

N_DRAWS = 200
_COARSE, _FINE = 0.005, 0.0005
_EDGE = 1e-9  # neighbours on one grid of rounded values cannot change places
Row = dict[str, object]


def rounding_slack(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Return how far rounding of the table can have moved each of its statistics.

    The table has two decimals, and three for the alignment of networks trained on the whole of ImageNet-100. A mean
    moves at most by half a unit. Rounding does not change the order of values, so Cliff's delta moves at most by the
    share of pairs that rounding made equal (twice that share where grids differ). For p the range over
    `N_DRAWS` tables with the lost digits drawn at random is given.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    seed : int, default=0
        Of the drawn digits.

    Returns
    -------
    DataFrame
        Columns quantity, subject, side, metric (as in `published.tunnel_numbers`), below and above, neither negative.
    """
    return pd.DataFrame([*_comparison_rows(table, seed), *_group_rows(table)])


def half_units(rows: pd.DataFrame, metric: str) -> np.ndarray:
    """Return half a unit of the last decimal of `metric` in each of `rows`, by their block."""
    if metric != "alignment":
        return np.full(len(rows), _COARSE)
    whole = (networks()["id_set"] == FULL).to_numpy()[rows["block"]]
    return np.where(whole, _FINE, _COARSE)


def delta_slack(before: np.ndarray, after: np.ndarray, half_before: np.ndarray, half_after: np.ndarray) -> float:
    """Return how far Cliff's delta of the unrounded values can be from that of the rounded ones.

    Parameters
    ----------
    before, after : ndarray (n,), (m,)
        Rounded values.
    half_before, half_after : ndarray (n,), (m,)
        What each may be off.
    """
    distance = np.abs(np.subtract.outer(before, after))
    open_order = distance < np.add.outer(half_before, half_after) - _EDGE
    return float((open_order * np.where(distance < _EDGE, 1, 2)).mean())


def _comparison_rows(table: pd.DataFrame, seed: int) -> Iterator[Row]:
    for comparison in COMPARISONS:
        matched = pairs(table, comparison)
        orders = {"matched": matched, "file_order": in_file_order(*matched)}
        for metric in METRICS:
            sides = [(side[metric].to_numpy(), half_units(side, metric)) for side in matched]
            for name, (_, half) in zip(("before", "after"), sides, strict=True):
                yield _row("mean", comparison.name, name, metric, half.mean(), half.mean())
            (before, half_before), (after, half_after) = sides
            slack = delta_slack(before, after, half_before, half_after)
            yield _row("delta", comparison.name, "", metric, slack, slack)
            for name, order in orders.items():
                yield _row("p_value", comparison.name, name, metric, *_p_slack(*order, metric, seed))


def _p_slack(before: pd.DataFrame, after: pd.DataFrame, metric: str, seed: int) -> tuple[float, float]:
    difference = after[metric].to_numpy() - before[metric].to_numpy()
    rng = np.random.default_rng(seed)
    shape = (N_DRAWS, len(difference))
    lost = [half_units(side, metric) * rng.uniform(-1, 1, shape) for side in (before, after)]
    p = stats.wilcoxon(difference).pvalue if difference.any() else 1.0
    drawn = stats.wilcoxon(difference + lost[1] - lost[0], axis=1).pvalue
    return max(0.0, p - drawn.min()), max(0.0, drawn.max() - p)


def _group_rows(table: pd.DataFrame) -> Iterator[Row]:
    for name, selection in GROUPS.items():
        rows = select(table, selection)
        for metric in METRICS:
            slack = half_units(rows, metric).mean()
            yield _row("mean", name, "", metric, slack, slack)


def _row(quantity: str, subject: str, side: str, metric: str, below: float, above: float) -> Row:
    who = {"quantity": quantity, "subject": subject, "side": side, "metric": metric}
    return who | {"below": float(below), "above": float(above)}
