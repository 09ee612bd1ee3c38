"""How far a statistic can be from that of the authors because the table holds rounded values.

The table has two decimals, and three for the alignment of networks trained on the whole of ImageNet-100. A mean moves
at most by half a unit. Rounding does not change the order of values, so Cliff's delta moves at most by the share of
pairs that rounding made equal (twice that share where grids differ). For p the range over `N_DRAWS` tables with the
lost digits drawn at random is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from diffred_core.chapters.tunnel_paper.names import FULL
from diffred_core.chapters.tunnel_paper.networks import networks

N_DRAWS = 200
_COARSE, _FINE = 0.005, 0.0005
_EDGE = 1e-9  # neighbours on one grid of rounded values cannot change places


def half_units(rows: pd.DataFrame, measure: str) -> np.ndarray:
    """Return half a unit of the last decimal of `measure` in each of `rows`, by their block."""
    if measure != "alignment":
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


def p_range(difference: np.ndarray, halves: Sequence[np.ndarray], *, seed: int = 0) -> tuple[float, float]:
    """Return the least and the greatest p of Wilcoxon's test over drawn tables.

    Parameters
    ----------
    difference : ndarray (n,)
        After less before, of rounded values.
    halves : two of ndarray (n,)
        What the values before and after may be off.
    seed : int
        Of the drawn digits.
    """
    rng = np.random.default_rng(seed)
    lost = [half * rng.uniform(-1, 1, (N_DRAWS, len(difference))) for half in halves]
    p = stats.wilcoxon(difference + lost[1] - lost[0], axis=1).pvalue
    return float(p.min()), float(p.max())
