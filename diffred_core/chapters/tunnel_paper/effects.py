"""The statistics of a comparison as rows: over cells as published, over pairs of networks, and what rounding allows.

The published table holds rounded values: two decimals, and three for the alignment of networks trained on the whole of
ImageNet-100. A mean moves at most by half a unit. Rounding does not change the order of values, so Cliff's delta moves
at most by the share of pairs that rounding made equal (twice that share where grids differ). For p the range over
`N_DRAWS` tables with the lost digits drawn at random is taken.
"""

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
from diffred_core.chapters.tunnel_paper.names import IMAGENET, LEVEL, MEASURES, N_OOD
from diffred_core.chapters.tunnel_paper.table import networks
from diffred_core.errors import InputError
from diffred_core.results.rows import Row

FEWEST_PAIRS = 3  # pairs of networks below which an interval over them says nothing
N_DRAWS = 200
_COARSE, _FINE = 0.005, 0.0005
_EDGE = 1e-9  # neighbours on one grid of rounded values cannot change places
BeforeAfter = tuple[pd.DataFrame, pd.DataFrame]


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
    table, comparisons
        As in `pairs`.
    n_boot, seed
        Of `intervals.cluster_bootstrap`; the seed also of the digits that rounding lost.

    Yields
    ------
    dict
        Method: the comparison; label: the measure. Over cells n_cells, mean (split: before, after), delta (Cliff's) and
        p_value (Wilcoxon; split: matched, and file_order for resolutions, see `in_file_order`), with what rounding
        of the table allows from low to high. Over pairs gain (mean difference with its bootstrap interval; fewer
        than `FEWEST_PAIRS` have none), gain_of_pairs (from the least to the greatest of one pair) and pairs_that_gain.
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


def half_units(rows: pd.DataFrame, measure: str) -> np.ndarray:
    """Return half a unit of the last decimal of `measure` in each of `rows`, by their block."""
    if measure != "alignment":
        return np.full(len(rows), _COARSE)
    whole = (networks()["id_set"] == IMAGENET).to_numpy()[rows["block"]]
    return np.where(whole, _FINE, _COARSE)


def delta_slack(before: np.ndarray, after: np.ndarray, half_before: np.ndarray, half_after: np.ndarray) -> float:
    """Return how far Cliff's delta of the unrounded values can be from that of the rounded ones.

    Rounded values `before` (n,) and `after` (m,), and what each of them may be off.
    """
    distance = np.abs(np.subtract.outer(before, after))
    open_order = distance < np.add.outer(half_before, half_after) - _EDGE
    return float((open_order * np.where(distance < _EDGE, 1, 2)).mean())


def p_range(difference: np.ndarray, halves: Sequence[np.ndarray], *, seed: int = 0) -> tuple[float, float]:
    """Return the least and the greatest p of Wilcoxon's test over drawn tables.

    The `difference` (n,) is after less before, of rounded values; `halves` are what those before and after may be off.
    """
    rng = np.random.default_rng(seed)
    lost = [half * rng.uniform(-1, 1, (N_DRAWS, len(difference))) for half in halves]
    p = stats.wilcoxon(difference + lost[1] - lost[0], axis=1).pvalue
    return float(p.min()), float(p.max())


def _over_cells(matched: BeforeAfter, measure: str, seed: int) -> Iterator[Row]:
    sides = [side[measure] for side in matched]
    halves = [half_units(side, measure) for side in matched]
    for split, side, half in zip(("before", "after"), sides, halves, strict=True):
        yield {"metric": "mean", "split": split} | _within(side.mean(), half.mean(), len(side))
    slack = delta_slack(*(side.to_numpy() for side in sides), *halves)
    yield {"metric": "delta"} | _within(cliffs_delta(*sides), slack, len(sides[0]))
    yield _p_row("matched", matched, measure, seed)


def _over_pairs(matched: BeforeAfter, measure: str, n_boot: int, seed: int) -> Iterator[Row]:
    before, after = (side[measure] for side in matched)
    # (n_pairs, N_OOD): the index is sorted with the position last
    by_pair = (after - before).to_numpy().reshape(-1, N_OOD).mean(1)
    gain, low, high = intervals.cluster_bootstrap(by_pair, level=LEVEL, n_boot=n_boot, seed=seed)
    limits = {"low": low, "high": high} if len(by_pair) >= FEWEST_PAIRS else {}
    over = {"n": len(by_pair)}
    yield {"metric": "gain", "value": gain, **limits, **over}
    yield {"metric": "gain_of_pairs", "value": gain, "low": by_pair.min(), "high": by_pair.max(), **over}
    yield {"metric": "pairs_that_gain", "value": (by_pair > 0).sum(), **over}


def _file_order_rows(in_order: BeforeAfter, seed: int) -> Iterator[Row]:
    before, after = (side.index.get_level_values("network").to_numpy() for side in in_order)
    yield {"metric": "same_network", "value": (before == after).sum() // N_OOD, "n": len(before) // N_OOD}
    yield from ({"label": measure} | _p_row("file_order", in_order, measure, seed) for measure in MEASURES)


def _p_row(split: str, sides: BeforeAfter, measure: str, seed: int) -> Row:
    before, after = (side[measure].to_numpy() for side in sides)
    low, high = p_range(after - before, [half_units(side, measure) for side in sides], seed=seed)
    p = paired_p(before, after)
    limits = {"low": min(low, p), "high": max(high, p)}
    return {"metric": "p_value", "split": split, "value": p, **limits, "n": len(before)}


def _within(value: float, slack: float, n: int) -> Row:
    return {"value": value, "low": value - slack, "high": value + slack, "n": n}
