"""Similarity of random subsets of a layer to the layer and to each other, beside what mere inclusion gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from diffred_core import cka, results, subsets
from diffred_core import moments as feature_moments
from diffred_core.chapters.random_subsets.sizes import PUBLISHED_FRACTIONS, SizeGrid
from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments
from diffred_core.results.rows import Cell, Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

INTERVAL_FRACTIONS: tuple[float, ...] = (0.1, 0.2, 0.5)
N_BLOCKS = 10  # of rows, left out one at a time: half the usual number at half the cost
TELLING = 1e-5  # share of its biased self-similarity below which the debiased one of a feature is rounding


def subset_similarity(
    features: TaskFeatures,
    *,
    fractions: Sequence[float] = PUBLISHED_FRACTIONS,
    n_seeds: int = 5,
    seed: int = 1,
    split: str = "test",
    interval_fractions: Sequence[float] = INTERVAL_FRACTIONS,
    level: float = 0.95,
    layer: str = "penultimate",
) -> pd.DataFrame:
    """Return linear CKA of random subsets with the whole layer, and with each other, and the references of both.

    Parameters
    ----------
    features : TaskFeatures
        Of one model and task.
    fractions : sequence of float
        Shares of the features to keep; those of less than one feature are left out.
    n_seeds : int, default=5
        Draws, at least 2; the published figures have 5, so 10 pairs.
    seed : int, default=1
        Seed of the first draw; the published seeds are 1 to 5.
    split : str, default="test"
        Rows on which similarity is measured.
    interval_fractions : sequence of float
        Where the similarity to the layer gets an interval over rows, moved to the nearest of `fractions`.
    level : float
        Coverage of that interval (`cka.subset_cka_interval`); what varies over draws is in the rows of the table.
    layer : str
        Name of the layer, for the table.

    Returns
    -------
    DataFrame
        A results table. Methods ``subset_whole`` and ``subset_subset`` (one row a draw, or a pair of draws), with
        metrics cka_debiased and cka_biased, the first at some sizes with _low and _high. Methods ``diagonal_null``
        and ``diagonal_null_pairs``, metric cka: the value that uncorrelated features of the same variances would
        give, since the two share features. Method ``permutation_null``: the mean of subset against layer over
        permutations of rows (0 if debiased).

    Raises
    ------
    InputError
        If an argument is out of range or names something unknown.
    """
    if n_seeds < 2:
        raise InputError(f"n_seeds must be at least 2, since pairs need two draws, got {n_seeds}; the paper has 5")
    if split not in features.splits:
        raise InputError(f"split must be one of {', '.join(features.splits)}, got {split!r}; name one")
    grid = SizeGrid.of(features.n_features, fractions)
    moments = feature_moments.from_features(features.splits[split][0])
    draws = [_Draw(repeat, s, moments, grid) for repeat, s in enumerate(range(seed, seed + n_seeds))]
    cell = Cell.of(features, experiment="subset_similarity", split=split, layer=layer)
    rows = [*_whole_rows(moments, draws), *_pair_rows(moments, draws, grid)]
    if interval_fractions:
        rows += _interval_rows(features.splits[split][0], draws, grid.nearest(interval_fractions), level=level)
    return results.as_table(cell.rows(rows))


class _Draw:
    """The nested subsets of one seed that have a similarity at all.

    A feature that differs from its usual value on one row only (or on none) makes all other rows equally far apart,
    so debiased CKA is 0/0. Small subsets of a layer with rectified units can hold nothing else; they are left out.
    """

    def __init__(self, repeat: int, seed: int, moments: FeatureMoments, grid: SizeGrid):
        order = subsets.random_order(moments.n_features, seed=seed)
        telling = cka.similarity_matrix(moments).diagonal() > TELLING * moments.gram.diagonal().square()
        first = int(telling.cpu()[order].int().argmax()) + 1
        self.repeat, self.seed = repeat, seed
        self.points = [(f, k) for f, k in zip(grid.fractions, grid.sizes, strict=True) if k >= first]
        self.masks = subsets.prefix_masks(order, [k for _, k in self.points])

    def rows(self, method: str, metric: str, values: Tensor) -> Iterator[Row]:
        """Yield one row a size."""
        who = {"method": method, "repeat": self.repeat, "seed": self.seed, "metric": metric}
        for (fraction, size), value in zip(self.points, values.tolist(), strict=True):
            yield who | {"fraction": fraction, "n_selected": size, "value": value}

    def mask(self, size: int) -> Tensor | None:
        """Return the mask of the subset of `size`, or None if it was left out."""
        sizes = [k for _, k in self.points]
        return self.masks[sizes.index(size)] if size in sizes else None


def _whole_rows(moments: FeatureMoments, draws: Sequence[_Draw]) -> Iterator[Row]:
    """Yield the similarity of every subset with the layer, and its two references."""
    for draw in draws:
        masks = draw.masks
        permuted = cka.permutation_null_mean(moments, moments, masks=masks)
        yield from draw.rows("subset_whole", "cka_debiased", cka.subset_cka(moments, masks))
        yield from draw.rows("subset_whole", "cka_biased", cka.subset_cka(moments, masks, debiased=False))
        yield from draw.rows("diagonal_null", "cka", cka.diagonal_null(moments, masks))
        yield from draw.rows("permutation_null", "cka_biased", permuted)
        yield from draw.rows("permutation_null", "cka_debiased", torch.zeros_like(permuted))


def _interval_rows(X: Tensor, draws: Sequence[_Draw], grid: SizeGrid, *, level: float) -> Iterator[Row]:
    """Yield the limits, over rows, of the similarity of a subset with the layer."""
    points = [(draw, fraction, k) for draw in draws for fraction, k in zip(grid.fractions, grid.sizes, strict=True)]
    points = [point for point in points if point[0].mask(point[2]) is not None]
    masks = torch.stack([draw.mask(k) for draw, _, k in points])
    found = cka.subset_cka_interval(X, masks, level=level, n_blocks=N_BLOCKS)
    for (draw, fraction, k), low, high in zip(points, found.low.tolist(), found.high.tolist(), strict=True):
        who = {
            "method": "subset_whole",
            "repeat": draw.repeat,
            "seed": draw.seed,
            "fraction": fraction,
            "n_selected": k,
        }
        yield who | {"metric": "cka_debiased_low", "value": low}
        yield who | {"metric": "cka_debiased_high", "value": high}


def _pair_rows(moments: FeatureMoments, draws: Sequence[_Draw], grid: SizeGrid) -> Iterator[Row]:
    """Yield the similarity of the subsets of equal size of every pair of draws, and its reference."""
    for fraction, size in zip(grid.fractions, grid.sizes, strict=True):
        drawn = [(draw.seed, mask) for draw in draws if (mask := draw.mask(size)) is not None]
        if len(drawn) < 2:
            continue
        masks = torch.stack([mask for _, mask in drawn])
        for method, metric, values in (
            ("subset_subset", "cka_debiased", cka.subset_cka(moments, masks, masks)),
            ("subset_subset", "cka_biased", cka.subset_cka(moments, masks, masks, debiased=False)),
            ("diagonal_null_pairs", "cka", _shared_null(moments, masks)),
        ):
            for repeat, (a, b) in enumerate(combinations(range(len(drawn)), 2)):
                point = {"fraction": fraction, "n_selected": size, "repeat": repeat, "seed": drawn[a][0]}
                yield point | {"method": method, "metric": metric, "value": float(values[a, b])}


def _shared_null(moments: FeatureMoments, masks: Tensor) -> Tensor:
    """Return the CKA that subsets would have with each other, were the features uncorrelated.

    Only shared features are then similar: ``sum_{S and T} h / sqrt(sum_S h * sum_T h)`` with h = diag(G)^2, which is
    `cka.diagonal_null` where T is the full layer.
    """
    uncorrelated = FeatureMoments(moments.n, moments.mean, moments.gram.diagonal().diag())
    return cka.subset_cka(uncorrelated, masks, masks, debiased=False)
