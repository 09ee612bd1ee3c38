"""The statistics of a comparison as rows: over cells as published, and over pairs of networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from diffred_core import intervals
from diffred_core.chapters.tunnel_paper.comparisons import (
    COMPARISONS,
    RESOLUTION_STEPS,
    Comparison,
    in_file_order,
    pairs,
)
from diffred_core.chapters.tunnel_paper.names import LEVEL, MEASURES, N_OOD
from diffred_core.chapters.tunnel_paper.rounding import delta_slack, half_units, p_range
from diffred_core.errors import InputError
from diffred_core.results.rows import Row

FEWEST = 3  # pairs of networks below which an interval over them says nothing
Sides = tuple[pd.DataFrame, pd.DataFrame]


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


def effect_rows(
    table: pd.DataFrame, comparisons: Sequence[Comparison] = COMPARISONS, *, n_boot: int = 20_000, seed: int = 0
) -> Iterator[Row]:
    """Yield the statistics of every comparison in every measure.

    A cell is one network on one OOD set. The eight cells of a network share one training run, so they are no eight
    experiments; the interval of the gain therefore resamples pairs of networks, each with all its cells.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    comparisons : sequence of Comparison
    n_boot, seed
        Of `intervals.cluster_bootstrap`; the seed also of the digits that rounding lost.

    Yields
    ------
    dict
        Method: the comparison; label: the measure. Over cells n_cells, mean (split: before, after), delta (Cliff's) and
        p_value (Wilcoxon; split: matched, and file_order for resolutions, see `in_file_order`), with what rounding
        of the table allows from low to high. Over pairs gain (mean difference with its bootstrap interval; fewer
        than `FEWEST` have none), gain_of_pairs (from the least to the greatest of one pair) and pairs_that_gain.
        For resolutions same_network: how many pairs of blocks in file order are of one network.
    """
    for comparison in comparisons:
        matched = pairs(table, comparison)
        rows = [{"metric": "n_cells", "value": len(matched[0])}]
        for measure in MEASURES:
            measured = (*_over_cells(matched, measure, seed), *_over_pairs(matched, measure, n_boot, seed))
            rows += [{"label": measure} | row for row in measured]
        if comparison in RESOLUTION_STEPS:
            rows += _file_order_rows(in_file_order(*matched), seed)
        yield from ({"method": comparison.name} | row for row in rows)


def _over_cells(matched: Sides, measure: str, seed: int) -> Iterator[Row]:
    sides = [side[measure] for side in matched]
    halves = [half_units(side, measure) for side in matched]
    for split, side, half in zip(("before", "after"), sides, halves, strict=True):
        yield {"metric": "mean", "split": split} | _within(side.mean(), half.mean(), len(side))
    slack = delta_slack(*(side.to_numpy() for side in sides), *halves)
    yield {"metric": "delta"} | _within(cliffs_delta(*sides), slack, len(sides[0]))
    yield _p_row("matched", matched, measure, seed)


def _over_pairs(matched: Sides, measure: str, n_boot: int, seed: int) -> Iterator[Row]:
    before, after = (side[measure] for side in matched)
    # (n_pairs, N_OOD): the index is sorted with the position last
    by_pair = (after - before).to_numpy().reshape(-1, N_OOD).mean(1)
    gain, low, high = intervals.cluster_bootstrap(by_pair, level=LEVEL, n_boot=n_boot, seed=seed)
    limits = {"low": low, "high": high} if len(by_pair) >= FEWEST else {}
    over = {"n": len(by_pair)}
    yield {"metric": "gain", "value": gain, **limits, **over}
    yield {"metric": "gain_of_pairs", "value": gain, "low": by_pair.min(), "high": by_pair.max(), **over}
    yield {"metric": "pairs_that_gain", "value": (by_pair > 0).sum(), **over}


def _file_order_rows(in_order: Sides, seed: int) -> Iterator[Row]:
    before, after = (side.index.get_level_values("network").to_numpy() for side in in_order)
    yield {"metric": "same_network", "value": (before == after).sum() // N_OOD, "n": len(before) // N_OOD}
    yield from ({"label": measure} | _p_row("file_order", in_order, measure, seed) for measure in MEASURES)


def _p_row(split: str, sides: Sides, measure: str, seed: int) -> Row:
    before, after = (side[measure].to_numpy() for side in sides)
    low, high = p_range(after - before, [half_units(side, measure) for side in sides], seed=seed)
    p = paired_p(before, after)
    limits = {"low": min(low, p), "high": max(high, p)}
    return {"metric": "p_value", "split": split, "value": p, **limits, "n": len(before)}


def _within(value: float, slack: float, n: int) -> Row:
    return {"value": value, "low": value - slack, "high": value + slack, "n": n}
