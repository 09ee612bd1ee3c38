"""What is measured of one network, as one number and as its values under resampled draws and test rows.

All networks of a factor see the same resamples: rows are the same images, draws those of one seed. So the difference of
two of them is taken resample by resample, and what makes an image hard for both cancels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diffred_core import cka, redundancy, subsets
from diffred_core.chapters.governs import names
from diffred_core.chapters.random_subsets.curve_rows import Bootstrap
from diffred_core.chapters.random_subsets.names import ESTIMATORS
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.moments import FeatureMoments

N_BLOCKS = 20  # of rows, for similarity


class Point(NamedTuple):
    """What a number is of, as columns of a results table: at equal shares the number is empty, and vice versa."""

    metric: str
    delta: float | None = None
    fraction: float | None = None
    n_selected: int | None = None


@dataclass(frozen=True, eq=False)
class Measure:
    """A number, and its values (n_boot,) under resampled draws and test rows."""

    value: float
    resampled: np.ndarray

    def minus(self, other: Measure) -> Measure:
        """Return the paired difference to `other`, which saw the same resamples."""
        return Measure(self.value - other.value, self.resampled - other.resampled)


Measures = dict[Point, Measure]


@dataclass(frozen=True, eq=False)
class AccuracyCurve:
    """Mean accuracy over the draws of one network, the whole layer as the last size.

    Attributes
    ----------
    sizes : ndarray (n_sizes,) of int
        Growing.
    value : ndarray (n_sizes,)
    resampled : ndarray (n_boot, n_sizes)
    """

    sizes: np.ndarray
    value: np.ndarray
    resampled: np.ndarray

    def at(self, size: int) -> Measure:
        """Return the accuracy at one of the sizes."""
        j = int(np.flatnonzero(self.sizes == size)[0])
        return Measure(float(self.value[j]), self.resampled[:, j])

    def kept_at(self, size: int) -> Measure:
        """Return the accuracy at one of the sizes as a share of that of the whole layer."""
        some, whole = self.at(size), self.at(int(self.sizes[-1]))
        return Measure(some.value / whole.value, some.resampled / whole.resampled)


def accuracy_measures(curve: AccuracyCurve, *, shares: Sequence[float], numbers: Sequence[int]) -> Measures:
    """Return accuracy, and what is kept of it, at equal shares and at equal numbers of dimensions, and of the whole."""
    d = int(curve.sizes[-1])
    sizes = subsets.subset_sizes(d, shares)
    measures = {Point(names.MEAN_ACCURACY, fraction=1.0): curve.at(d)}
    for metric, at in {names.MEAN_ACCURACY: curve.at, names.KEPT: curve.kept_at}.items():
        measures |= {Point(metric, fraction=share): at(size) for share, size in zip(shares, sizes, strict=True)}
        measures |= {Point(metric, n_selected=number): at(number) for number in numbers if number < d}
    return measures


def redundancy_measures(curve: AccuracyCurve, published: Sizes, *, deltas: Sequence[float]) -> Measures:
    """Return diffused redundancy by both estimators, on the `published` fractions."""
    at, measures = np.isin(curve.sizes, [*published.n_selected, curve.sizes[-1]]), Measures()
    fraction = [*published.fractions, 1.0]
    for metric, estimator in ESTIMATORS.items():
        for delta in deltas:
            measure = partial(redundancy.diffused_redundancy, fraction, delta=delta, estimator=estimator)
            resampled = np.array([measure(row[at], row[-1]) for row in curve.resampled])
            measures[Point(metric, delta)] = Measure(measure(curve.value[at], curve.value[-1]), resampled)
    return measures


def need_measures(curve: AccuracyCurve, *, deltas: Sequence[float]) -> Measures:
    """Return the number of dimensions that keeps a share of the accuracy: its logarithm, and as share of the layer."""
    measures, width = Measures(), np.log2(curve.sizes[-1])
    for delta in deltas:
        value = float(log2_needed(curve.sizes, curve.value / curve.value[-1], delta))
        resampled = log2_needed(curve.sizes, curve.resampled / curve.resampled[:, -1:], delta)
        measures[Point(names.NEEDED, delta)] = Measure(value, resampled)
        measures[Point(names.SHARE, delta)] = Measure(float(2 ** (value - width)), 2 ** (resampled - width))
    return measures


def log2_needed(sizes: np.ndarray, kept: np.ndarray, delta: float) -> np.ndarray:
    """Return the logarithm of the size at which what is kept of the accuracy first reaches `delta`.

    Between the last tested size below and the first above, accuracy is taken to be linear in the logarithm of the size:
    so the number has no steps, as diffused redundancy has.

    Parameters
    ----------
    sizes : ndarray (n_sizes,)
        Growing, the whole layer last.
    kept : ndarray (..., n_sizes)
        Accuracy as a share of that of the whole layer, the last therefore 1.
    delta : float
        In (0, 1].

    Returns
    -------
    ndarray (...)
        From log2 of the smallest size to that of the layer.
    """
    above = (kept >= delta).argmax(-1)
    below = np.maximum(above - 1, 0)
    high, low = (np.take_along_axis(kept, at[..., None], -1)[..., 0] for at in (above, below))
    x = np.log2(sizes)
    way: np.ndarray = (delta - low) / np.where(above > 0, high - low, 1.0)
    needed: np.ndarray = np.where(above > 0, x[below] + way * (x[above] - x[below]), x[0])
    return needed


def similarity_measures(X: Tensor, orders: Sequence[Tensor], fraction: float, bootstrap: Bootstrap) -> Measures:
    """Return the CKA of random parts with the layer, less that of uncorrelated dimensions.

    Of rows the resampling is that of jackknife pseudo-values of blocks (Tukey; Efron and Tibshirani 1993, chapter 11),
    for a resample would need new moments; it is centred on the value of all rows.
    """
    (size,) = subsets.subset_sizes(X.shape[1], [fraction])
    masks = torch.cat([subsets.prefix_masks(order, [size]) for order in orders])

    def excess(moments: FeatureMoments) -> Tensor:
        return cka.subset_cka(moments, masks) - cka.diagonal_null(moments, masks)

    whole, without = cka.jackknife_rows(X, excess, n_blocks=N_BLOCKS, seed=bootstrap.seed)
    pseudo = whole + (N_BLOCKS - 1) * (without.mean(0) - without)  # (n_blocks, n_draws)
    resampled = resample(pseudo.T, bootstrap)
    return {Point(names.EXCESS, fraction=fraction): Measure(float(whole.mean()), resampled)}


def inequality_measures(
    correct: Tensor, whole: Tensor, y: Tensor, fraction: float, bootstrap: Bootstrap
) -> Iterator[tuple[Point, Measure]]:
    """Yield the Gini coefficient of a draw, and its rise over the whole layer, each less what chance shows.

    Resampled rows add the noise of rows once more, which raises every coefficient; so resampled values are moved to the
    measured one, and give its spread alone.

    Parameters
    ----------
    correct : Tensor (n_draws, n_rows) of bool
        Of the random parts.
    whole : Tensor (n_rows,) of bool
        Of the whole layer.
    y : Tensor (n_rows,)
    """
    labels, class_sizes = y.unique(return_counts=True)
    members = (y == labels[:, None]).double()  # (n_classes, n_rows)
    runs = torch.cat([correct, whole[None]]).double()
    by_class = (runs @ members.T / members.sum(1)).numpy()
    null = np.array([redundancy.gini_null(mean, class_sizes.numpy()) for mean in by_class.mean(1)])
    ginis = redundancy.gini_by_curve(by_class)
    sums = bootstrap.means(runs[:, None] * members)  # (n_boot, n_draws + 1, n_classes)
    resampled = redundancy.gini_by_curve(sums / np.maximum(bootstrap.means(members)[:, None], 1e-12))
    weights = bootstrap.draw_weights(len(correct))
    of_draws = (weights * resampled[:, :-1]).sum(1)
    yield Point(names.GINI, fraction=fraction), centred(float(ginis[:-1].mean()), of_draws)
    rise = float((ginis - null)[:-1].mean() - (ginis - null)[-1])
    yield Point(names.GINI_RISE, fraction=fraction), centred(rise, of_draws - resampled[:, -1])


def centred(value: float, resampled: np.ndarray) -> Measure:
    """Return the measure whose resampled values are moved so that `value` is their mean."""
    return Measure(value, value + resampled - resampled.mean())


def resample(values: Tensor, bootstrap: Bootstrap) -> np.ndarray:
    """Return the mean of values (n_draws, ..., n_rows) over resampled draws and rows, (n_boot, ...)."""
    means: np.ndarray = np.einsum("br,br...->b...", bootstrap.draw_weights(len(values)), bootstrap.means(values))
    return means
