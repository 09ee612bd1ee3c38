"""What a table says of the curves of one probe: accuracy, redundancy, inequality, differences with their intervals.

Wherever two accuracies, or two inequalities, are compared, draws and test rows are resampled together, and both sides
are read on the same rows: the interval speaks of new draws and of new test data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffred_core import intervals, redundancy
from diffred_core.chapters.random_subsets import names
from diffred_core.chapters.random_subsets.comparators import COMPARATORS
from diffred_core.chapters.random_subsets.curves import Curve
from diffred_core.results.rows import Row

INEQUALITY = {names.GINI: redundancy.gini, names.VARIATION: redundancy.coefficient_of_variation}


@dataclass(frozen=True)
class Bootstrap:
    """Where differences get an interval over draws and test rows, and how; no fraction is nowhere."""

    fractions: Sequence[float]
    level: float
    n_boot: int
    seed: int

    def means(self, correct: Tensor) -> np.ndarray:
        """Return the means (n_boot, ...) of `correct` (..., n_rows) over resampled rows, the same in every call."""
        values = correct.flatten(0, -2).cpu().numpy()
        means = intervals.bootstrap_means(values, n_boot=self.n_boot, seed=self.seed)
        return means.reshape(self.n_boot, *correct.shape[:-1])

    def draw_weights(self, n_draws: int) -> np.ndarray:
        """Return how much of every resample each draw is, (n_boot, n_draws); a row sums to 1."""
        rng = np.random.default_rng((self.seed, n_draws))
        return rng.multinomial(n_draws, np.full(n_draws, 1 / n_draws), size=self.n_boot) / n_draws

    def limits(self, resampled: np.ndarray) -> Row:
        """Return the percentile interval of resampled values (n_boot,), as columns of a row."""
        low, high = np.quantile(resampled, [0.5 - self.level / 2, 0.5 + self.level / 2])
        return {"low": float(low), "high": float(high)}


@dataclass(frozen=True, eq=False)
class MeanCurve:
    """The accuracy of one method, mean over its draws: as measured, and of resampled draws and test rows.

    Attributes
    ----------
    curves : sequence of Curve
        One a draw.
    measured : ndarray (n_sizes,)
    resampled : ndarray (n_boot, n_sizes), or None
        None of a method whose draws are too few to resample.
    """

    curves: Sequence[Curve]
    measured: np.ndarray
    resampled: np.ndarray | None

    @classmethod
    def of(cls, curves: Sequence[Curve], bootstrap: Bootstrap, *, resample: bool = True) -> MeanCurve:
        """Return the mean of `curves`."""
        correct = torch.stack([curve.correct for curve in curves])
        measured = correct.double().mean((0, 2)).cpu().numpy()
        if not resample:
            return cls(curves, measured, None)
        weights = bootstrap.draw_weights(len(curves))
        return cls(curves, measured, np.einsum("br,brs->bs", weights, bootstrap.means(correct)))

    def point(self, j: int) -> Row:
        """Return the columns that say of whom and of which size a row is."""
        return _point(self.curves[0], j) | _whose(self.curves[0], pooled=True)

    def minus(self, other: MeanCurve, j: int, k: int, bootstrap: Bootstrap) -> Row:
        """Return value, and limits if there are some, of the difference: of our size j less the other's size k."""
        value: Row = {"value": float(self.measured[j] - other.measured[k])}
        if self.resampled is None or other.resampled is None:
            return value
        return value | bootstrap.limits(self.resampled[:, j] - other.resampled[:, k])


def family_rows(
    family: Sequence[Sequence[Curve]],
    y: Tensor,
    *,
    classes: Sequence[str],
    deltas: Sequence[float],
    bootstrap: Bootstrap,
) -> Iterator[Row]:
    """Yield all rows of one probe: of the full layer, which comes first in `family`, then of every method."""
    (full,), *others = family
    for curves in family:
        for curve in curves:
            yield from accuracy_rows(curve, y, classes)
        yield from inequality_rows(curves, y)
    for curves in others:
        yield from redundancy_rows(curves, full, deltas)
    if bootstrap.fractions:
        yield from comparison_rows(family, bootstrap)
        for curves in others:
            if curves[0].method == names.RANDOM:
                yield from rise_rows(curves, full, y, bootstrap)


def accuracy_rows(curve: Curve, y: Tensor, classes: Sequence[str]) -> Iterator[Row]:
    """Yield by size accuracy, that of every class, whether the regulariser is at an end of those tried, and steps."""
    by_class, accuracy = curve.class_accuracy(y, len(classes)).tolist(), curve.accuracy.tolist()
    for j in range(len(curve.sizes)):
        point = _point(curve, j) | {
            "l2": float(curve.l2[j]),
            "converged": None if curve.converged is None else bool(curve.converged[j]),
        }
        yield point | {"metric": names.ACCURACY, "value": accuracy[j]}
        if curve.at_edge is not None:
            yield point | {"metric": names.AT_EDGE, "value": float(curve.at_edge[j])}
        if curve.steps is not None:
            yield point | {"metric": names.STEPS, "value": float(curve.steps[j])}
        for label, value in zip(classes, by_class[j], strict=True):
            if value == value:  # a class without measured rows has no accuracy
                yield point | {"label": label, "metric": names.CLASS_ACCURACY, "value": value}


def redundancy_rows(curves: Sequence[Curve], full: Curve, deltas: Sequence[float]) -> Iterator[Row]:
    """Yield diffused redundancy at every delta by both estimators.

    As published, accuracy is averaged over draws first: the row without a repeat. With several draws the values of each
    of them follow, so that an interval can be given.
    """
    fraction = [*curves[0].fractions, 1.0]
    for accuracy, whose in _pooled_then_drawn(curves, torch.stack([curve.accuracy for curve in curves])):
        points = [*accuracy.tolist(), float(full.accuracy)]
        for metric, estimator in names.ESTIMATORS.items():
            for delta in deltas:
                value = redundancy.diffused_redundancy(fraction, points, points[-1], delta=delta, estimator=estimator)
                yield whose | {"delta": delta, "metric": metric, "value": value}


def inequality_rows(curves: Sequence[Curve], y: Tensor) -> Iterator[Row]:
    """Yield the inequality over classes at every size, and of every draw what chance alone would show.

    As published, the accuracy of each class is averaged over draws first, which hides the unfairness of a single draw:
    the row without a repeat. With several draws the values of each of them follow. The null is of single draws.
    """
    by_class = _class_accuracy(curves, y)
    for by_size, whose in _pooled_then_drawn(curves, by_class):
        for j, values in enumerate(by_size.cpu().numpy()):
            for metric, measure in INEQUALITY.items():
                if values.any() or metric == names.GINI:  # where nothing is right, std over mean is 0 / 0
                    yield _point(curves[0], j) | whose | {"metric": metric, "value": measure(values)}
    for curve, null in zip(curves, _null(by_class, y).tolist(), strict=True):
        for j, value in enumerate(null):
            yield _point(curve, j) | {"metric": names.GINI_NULL, "value": value}


def comparison_rows(family: Sequence[Sequence[Curve]], bootstrap: Bootstrap) -> Iterator[Row]:
    """Yield accuracy, the loss to the full layer and the gain over random subsets, with limits over draws and rows.

    Of random subsets and of the full layer the accuracy at every size; of every method the differences at the sizes of
    `bootstrap`, without limits where it has too few draws.
    """
    means = {
        curves[0].method: MeanCurve.of(
            curves, bootstrap, resample=curves[0].method == names.FULL or COMPARATORS[curves[0].method].gap
        )
        for curves in family
    }
    full, random = means.pop(names.FULL), means[names.RANDOM]
    for mean in (full, random):
        for j, resampled in enumerate([] if mean.resampled is None else mean.resampled.T):
            accuracy = {"metric": names.MEAN_ACCURACY, "value": float(mean.measured[j])}
            yield mean.point(j) | accuracy | bootstrap.limits(resampled)
    for mean in means.values():
        for j, fraction in enumerate(mean.curves[0].fractions):
            if fraction not in bootstrap.fractions:
                continue
            if mean.resampled is not None:
                yield mean.point(j) | {"metric": names.GAP} | full.minus(mean, 0, j, bootstrap)
            if mean is not random:
                k = random.curves[0].fractions.index(fraction)
                yield mean.point(j) | {"metric": names.GAIN} | mean.minus(random, j, k, bootstrap)


def rise_rows(curves: Sequence[Curve], full: Curve, y: Tensor, bootstrap: Bootstrap) -> Iterator[Row]:
    """Yield by how much the Gini coefficient of a draw exceeds the full layer's, each less its null.

    Test rows are resampled within their classes. That adds the noise of rows once more, which raises every resampled
    coefficient; so the resampled differences are moved to the measured one, and give its spread alone.
    """
    labels = y.unique()
    weights = bootstrap.draw_weights(len(curves))
    for j, fraction in enumerate(curves[0].fractions):
        if fraction not in bootstrap.fractions:
            continue
        correct = torch.stack([*(curve.correct[j] for curve in curves), full.correct[0]])
        by_class = torch.stack([correct[:, y == label].double().mean(1) for label in labels], dim=-1)
        null = _null(by_class, y)
        resampled = np.stack([bootstrap.means(correct[:, y == label]) for label in labels], axis=-1)
        beyond = redundancy.gini_by_curve(by_class.cpu().numpy()) - null
        resampled_beyond = redundancy.gini_by_curve(resampled) - null
        rise = float(beyond[:-1].mean() - beyond[-1])
        spread = (weights * resampled_beyond[:, :-1]).sum(1) - resampled_beyond[:, -1]
        point = _point(curves[0], j) | _whose(curves[0], pooled=True)
        yield point | {"metric": names.GINI_RISE, "value": rise} | bootstrap.limits(rise + spread - spread.mean())


def _class_accuracy(curves: Sequence[Curve], y: Tensor) -> Tensor:
    """Return the accuracy of every class that has measured rows, (n_draws, n_sizes, n_classes)."""
    measured = y.unique()
    return torch.stack([curve.class_accuracy(y, int(measured[-1]) + 1) for curve in curves])[..., measured]


def _null(by_class: Tensor, y: Tensor) -> np.ndarray:
    """Return `redundancy.gini_null` at the mean of the class accuracies (..., n_classes): of shape (...)."""
    sizes = y.unique(return_counts=True)[1].cpu().numpy()
    means = by_class.mean(-1).cpu().numpy()
    return np.array([redundancy.gini_null(mean, sizes) for mean in means.ravel()]).reshape(means.shape)


def _pooled_then_drawn(curves: Sequence[Curve], values: Tensor) -> Iterator[tuple[Tensor, Row]]:
    """Yield the mean of `values` (n_draws, ...) over draws; then, of several draws, the values of each."""
    yield values.mean(0), _whose(curves[0], pooled=True)
    if len(curves) > 1:
        yield from ((of_draw, _whose(curve, pooled=False)) for curve, of_draw in zip(curves, values, strict=True))


def _whose(curve: Curve, *, pooled: bool) -> Row:
    draw: Row = {"repeat": None, "seed": None} if pooled else {"repeat": curve.repeat, "seed": curve.seed}
    whose: Row = {"method": curve.method, "probe": curve.probe, "recipe": curve.recipe}
    return whose | draw


def _point(curve: Curve, j: int) -> Row:
    return _whose(curve, pooled=False) | {"fraction": curve.fractions[j], "n_selected": curve.sizes[j]}
