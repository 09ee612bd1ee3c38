"""Similarity of random subsets of a layer to the layer and to each other, beside what mere inclusion gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from diffred_core import cka, results, subsets
from diffred_core import moments as feature_moments
from diffred_core.chapters.random_subsets import names
from diffred_core.chapters.random_subsets.sizes import PUBLISHED_FRACTIONS, Sizes
from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

N_BLOCKS = 10  # of rows, left out one at a time: half the usual number at half the cost
TELLING = 1e-5  # share of its biased self-similarity below which the debiased one of a feature is rounding


def similarity(
    features: TaskFeatures,
    *,
    fractions: Sequence[float] = PUBLISHED_FRACTIONS,
    n_seeds: int = 5,
    seed: int = 1,
    split: str = "test",
    interval_fractions: Sequence[float] = names.SIMILARITY_FRACTIONS,
    level: float = 0.95,
    layer: str = "penultimate",
) -> pd.DataFrame:
    """Return linear CKA of random subsets with the whole layer, and with each other, and the references of both.

    Parameters
    ----------
    features, fractions, seed, layer
        As in `probes`.
    n_seeds : int, default=5
        Draws, at least 2; the published figures have 5, so 10 pairs.
    split : str, default="test"
        Rows on which similarity is measured.
    interval_fractions : sequence of float
        Where the similarity to the layer gets an interval over rows, moved to the nearest of `fractions`.
    level : float
        Coverage of that interval (`cka.subset_cka_interval`); what varies over draws is in the rows of the table.

    Returns
    -------
    DataFrame
        A results table. Methods ``subset_whole`` and ``subset_subset`` (one row a draw, or a pair of draws), with
        metrics cka_debiased and cka_biased, the first at some sizes with low and high. Methods ``diagonal_null``
        and ``diagonal_null_pairs``, metric cka: the value that uncorrelated dimensions of the same variances would
        give, since the two share dimensions. Method ``permutation_null``: the mean of subset against layer over
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
    sizes, X = Sizes.of(features.n_features, fractions), features.splits[split][0]
    moments = feature_moments.from_features(X)
    similarity_to_itself = cka.similarity_matrix(moments).diagonal()
    has_similarity = (similarity_to_itself > TELLING * moments.gram.diagonal().square()).cpu()
    draws = [_Draw.of(repeat, s, has_similarity, sizes) for repeat, s in enumerate(range(seed, seed + n_seeds))]
    limits = _limits(X, draws, sizes.nearest(interval_fractions), level=level)
    rows = [*_whole_rows(moments, draws, limits), *_pair_rows(moments, draws, sizes)]
    shared = shared_columns(features, experiment="subset_similarity", split=split, layer=layer)
    return results.as_table([shared | row for row in rows])


@dataclass(frozen=True, eq=False)
class _Draw:
    """The nested subsets of one seed that have a similarity at all.

    A feature that differs from its usual value on one row only (or on none) makes all other rows equally far apart,
    so debiased CKA is 0/0. Small subsets of a layer with rectified units can hold nothing else; they are left out.
    """

    repeat: int
    seed: int
    sizes: Sizes
    masks: Tensor

    @classmethod
    def of(cls, repeat: int, seed: int, has_similarity: Tensor, sizes: Sizes) -> _Draw:
        """Draw an order of dimensions; `has_similarity (n_features,)` says which of them have a similarity."""
        order = subsets.random_order(len(has_similarity), seed=seed)
        sizes = sizes.from_size(int(has_similarity[order].int().argmax()) + 1)
        return cls(repeat, seed, sizes, subsets.prefix_masks(order, sizes.n_selected))

    def rows(self, method: str, metric: str, values: Tensor) -> Iterator[Row]:
        """Yield one row a size."""
        of_draw = {"method": method, "repeat": self.repeat, "seed": self.seed, "metric": metric}
        for fraction, size, value in zip(self.sizes.fractions, self.sizes.n_selected, values.tolist(), strict=True):
            yield of_draw | {"fraction": fraction, "n_selected": size, "value": value}

    def mask(self, size: int) -> Tensor | None:
        """Return the mask of the subset of `size`, or None if it was left out."""
        return self.masks[self.sizes.n_selected.index(size)] if size in self.sizes.n_selected else None


def _whole_rows(
    moments: FeatureMoments, draws: Sequence[_Draw], limits: Mapping[tuple[int, int], Row]
) -> Iterator[Row]:
    for draw in draws:
        masks = draw.masks
        permuted = cka.permutation_null_mean(moments, moments, masks=masks)
        for row in draw.rows(names.WHOLE, names.CKA, cka.subset_cka(moments, masks)):
            yield row | limits.get((draw.repeat, row["n_selected"]), {})
        yield from draw.rows(names.WHOLE, names.BIASED, cka.subset_cka(moments, masks, debiased=False))
        yield from draw.rows(names.WHOLE_NULL, names.NULL, cka.diagonal_null(moments, masks))
        yield from draw.rows(names.PERMUTED, names.BIASED, permuted)
        yield from draw.rows(names.PERMUTED, names.CKA, torch.zeros_like(permuted))


def _limits(X: Tensor, draws: Sequence[_Draw], sizes: Sizes, *, level: float) -> dict[tuple[int, int], Row]:
    """Return the limits, over rows, of the similarity of a subset with the layer, by repeat and size."""
    masks = {(draw.repeat, k): draw.mask(k) for draw in draws for k in sizes.n_selected if draw.mask(k) is not None}
    if not masks:
        return {}
    interval = cka.subset_cka_interval(X, torch.stack(list(masks.values())), level=level, n_blocks=N_BLOCKS)
    ends = zip(masks, interval.low.tolist(), interval.high.tolist(), strict=True)
    return {at: {"low": low, "high": high} for at, low, high in ends}


def _pair_rows(moments: FeatureMoments, draws: Sequence[_Draw], sizes: Sizes) -> Iterator[Row]:
    """Yield the similarity of the subsets of equal size of every pair of draws, and its reference."""
    for fraction, size in zip(sizes.fractions, sizes.n_selected, strict=True):
        with_mask = [(draw.seed, mask) for draw in draws if (mask := draw.mask(size)) is not None]
        if len(with_mask) < 2:
            continue
        masks = torch.stack([mask for _, mask in with_mask])
        for method, metric, values in (
            (names.PAIR, names.CKA, cka.subset_cka(moments, masks, masks)),
            (names.PAIR, names.BIASED, cka.subset_cka(moments, masks, masks, debiased=False)),
            (names.PAIR_NULL, names.NULL, _shared_null(moments, masks)),
        ):
            for repeat, (a, b) in enumerate(combinations(range(len(with_mask)), 2)):
                point = {"fraction": fraction, "n_selected": size, "repeat": repeat, "seed": with_mask[a][0]}
                yield point | {"method": method, "metric": metric, "value": float(values[a, b])}


def _shared_null(moments: FeatureMoments, masks: Tensor) -> Tensor:
    """Return the CKA that subsets would have with each other, were the features uncorrelated.

    Only shared features are then similar: ``sum_{S and T} h / sqrt(sum_S h * sum_T h)`` with h = diag(G)^2, which is
    `cka.diagonal_null` where T is the full layer.
    """
    uncorrelated = FeatureMoments(moments.n, moments.mean, moments.gram.diagonal().diag())
    return cka.subset_cka(uncorrelated, masks, masks, debiased=False)
