"""One network of a factor: its probes at every size of every draw, and all that is measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffred_core import subsets
from diffred_core.chapters.governs import factors_measures as measured
from diffred_core.chapters.governs import names
from diffred_core.chapters.governs.factors_measures import AccuracyCurve, Measures
from diffred_core.chapters.random_subsets.comparators import draw as draws_of
from diffred_core.chapters.random_subsets.curve_rows import Bootstrap
from diffred_core.chapters.random_subsets.curves import ProbeData, ridge, whole_layer
from diffred_core.chapters.random_subsets.sizes import PUBLISHED_FRACTIONS, Sizes
from diffred_core.features import TaskFeatures

STEPS_A_DOUBLING = 4  # of the ladder of sizes that layers of all widths share


@dataclass(frozen=True)
class Design:
    """What is asked of every network alike.

    Attributes
    ----------
    seeds : range
        Of the draws.
    split : str
        Rows on which everything is measured.
    deltas, shares, numbers
        Shares of the accuracy to be kept; shares and numbers of dimensions at which networks are compared.
    fraction : float
        Share of the dimensions for similarity and inequality.
    n_similarity_rows : int
        How many rows of the split, at most, similarity is measured on: the same ones in every network.
    ridge_l2 : sequence of float
        Regularisers to choose from.
    bootstrap : Bootstrap
    """

    seeds: range
    split: str
    deltas: Sequence[float]
    shares: Sequence[float]
    numbers: Sequence[int]
    fraction: float
    n_similarity_rows: int
    ridge_l2: Sequence[float]
    bootstrap: Bootstrap


@dataclass(frozen=True, eq=False)
class Level:
    """One network of a factor, with its accuracy at every tested size and all that networks are compared by."""

    model: str
    n_features: int
    curve: AccuracyCurve
    measures: Measures


def measure(features: TaskFeatures, design: Design) -> Level:
    """Return what `design` asks of one network."""
    d, data = features.n_features, ProbeData.of(features, split=design.split, standardize=False)
    draws = list(draws_of(names.RANDOM, data.moments, seeds=design.seeds))
    published, sizes = Sizes.of(d, PUBLISHED_FRACTIONS), tested_sizes(d, design)
    fits = [ridge(data, draw, sizes, l2=design.ridge_l2) for draw in draws]
    whole = ridge(data, *whole_layer(data), l2=design.ridge_l2).correct
    correct = torch.stack([fit.correct for fit in fits])
    curve = accuracy_curve(correct, whole, [*sizes.n_selected, d], design.bootstrap)
    X, y = data.measured
    at = sizes.n_selected.index(*subsets.subset_sizes(d, [design.fraction]))
    few = X[subsets.random_order(len(X), seed=0)[: design.n_similarity_rows]]  # a folder lists class by class
    orders = [draw.order for draw in draws]
    measures = measured.redundancy_measures(curve, published, deltas=design.deltas)
    measures |= measured.need_measures(curve, deltas=design.deltas)
    measures |= measured.accuracy_measures(curve, shares=design.shares, numbers=design.numbers)
    measures |= measured.similarity_measures(few, orders, design.fraction, design.bootstrap)
    measures |= dict(measured.inequality_measures(correct[:, at], whole[0], y, design.fraction, design.bootstrap))
    return Level(features.model, d, curve, measures)


def tested_sizes(n_features: int, design: Design) -> Sizes:
    """Return the sizes that are probed, the whole layer left out.

    They are those of the published fractions and of the shares that are compared; a ladder that is the same for layers
    of all widths; and the numbers that are compared.
    """
    ladder = np.unique(np.round(2 ** np.arange(0, np.log2(n_features), 1 / STEPS_A_DOUBLING)).astype(int)).tolist()
    by_share = Sizes.of(n_features, PUBLISHED_FRACTIONS).n_selected
    by_share += tuple(subsets.subset_sizes(n_features, [*design.shares, design.fraction]))
    growing = sorted({size for size in (*ladder, *by_share, *design.numbers) if size < n_features})
    return Sizes(tuple(size / n_features for size in growing), tuple(growing))


def accuracy_curve(correct: Tensor, whole: Tensor, sizes: Sequence[int], bootstrap: Bootstrap) -> AccuracyCurve:
    """Return the mean accuracy of ``correct (n_draws, n_sizes, n_rows)``, then that of ``whole (1, n_rows)``."""
    value = torch.cat([correct.double().mean((0, 2)), whole.double().mean(1)]).numpy()
    resampled = [measured.resample(correct, bootstrap), measured.resample(whole[None], bootstrap)]
    return AccuracyCurve(np.array(sizes), value, np.concatenate(resampled, axis=1))
