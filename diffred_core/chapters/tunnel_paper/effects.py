"""What the paper tells of a comparison, and the same with networks as the unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from diffred_core import intervals
from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS, Comparison, pairs
from diffred_core.chapters.tunnel_paper.networks import METRICS, N_OOD
from diffred_core.errors import InputError

FEWEST = 3  # pairs of networks below which an interval over them says nothing
SIZES: dict[str, float] = {"large": 0.474, "medium": 0.33, "small": 0.147, "negligible": 0.0}
"""The least absolute Cliff's delta of every size, as in the paper."""


def cliffs_delta(before: ArrayLike, after: ArrayLike) -> float:
    """Return Cliff's delta: how much oftener a value of `after` is above one of `before` than below it.

    Parameters
    ----------
    before, after : array-like (n,), (m,)
        Values, not paired.

    Returns
    -------
    float
        ``sum_ij sign(after_j - before_i) / (n m)``, from -1 to 1 (Cliff 1993).

    Raises
    ------
    InputError
        If either is empty.
    """
    before, after = np.asarray(before, float).ravel(), np.sort(np.asarray(after, float).ravel())
    if not before.size or not after.size:
        raise InputError(
            f"expected values on both sides of Cliff's delta, got {before.size} and {after.size}; check the selection"
        )
    below, up_to = (np.searchsorted(after, before, side=side) for side in ("left", "right"))
    return float((after.size - up_to - below).sum() / (before.size * after.size))


def paired_p(before: ArrayLike, after: ArrayLike) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test with scipy's defaults; 1 if all pairs are equal."""
    difference = np.asarray(after, float) - np.asarray(before, float)
    return float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0


def effects(
    table: pd.DataFrame,
    comparisons: Sequence[Comparison] = COMPARISONS,
    *,
    level: float = 0.95,
    n_boot: int = 20_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return every comparison in every metric: as published over cells, and over pairs of networks.

    A cell is one network on one OOD set. The eight cells of a network share one training run, so they are no eight
    experiments; the interval therefore resamples pairs of networks, each with all its cells.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    comparisons : sequence of Comparison
        Which.
    level, n_boot, seed
        Of `intervals.cluster_bootstrap`.

    Returns
    -------
    DataFrame
        Columns comparison, title, metric; n_cells, before, after (means), delta (Cliff's), size (of it), p_value
        (Wilcoxon, over cells); n_pairs, gain, low, high, level (mean difference and its interval over pairs; fewer than
        `FEWEST` have none), least, most (mean difference of single pairs) and positive (pairs that gain).
    """
    options = {"level": level, "n_boot": n_boot, "seed": seed}
    return pd.DataFrame([_effect(table, c, m, options) for c in comparisons for m in METRICS])


def _effect(table: pd.DataFrame, comparison: Comparison, metric: str, options: dict[str, float]) -> dict[str, object]:
    before, after = (side[metric] for side in pairs(table, comparison))
    # (n_pairs, N_OOD): the index is sorted with the position last
    differences = (after - before).to_numpy().reshape(-1, N_OOD)
    by_pair = differences.mean(1)
    gain, low, high = intervals.cluster_bootstrap(by_pair, **options)
    if len(by_pair) < FEWEST:
        low = high = float("nan")
    delta = cliffs_delta(before, after)
    return {
        "comparison": comparison.name,
        "title": comparison.title,
        "metric": metric,
        "n_cells": len(before),
        "before": before.mean(),
        "after": after.mean(),
        "delta": delta,
        "size": next(size for size, least in SIZES.items() if abs(delta) >= least),
        "p_value": paired_p(before, after),
        "n_pairs": len(differences),
        "gain": gain,
        "low": low,
        "high": high,
        "level": options["level"],
        "least": by_pair.min(),
        "most": by_pair.max(),
        "positive": int((by_pair > 0).sum()),
    }
