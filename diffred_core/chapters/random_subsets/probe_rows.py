"""Rows from curves: accuracy, accuracy by class, what was chosen, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core import intervals, redundancy
from diffred_core.chapters.random_subsets import comparators, names
from diffred_core.chapters.random_subsets.curves import Curve
from diffred_core.results.rows import Row

ESTIMATORS = {"first": names.FIRST, "nearest": names.NEAREST}
INEQUALITY = {names.GINI: redundancy.gini, "coefficient_of_variation": redundancy.coefficient_of_variation}


@dataclass(frozen=True)
class Bootstrap:
    """Where the gap to the full layer gets an interval, and how."""

    fractions: Sequence[float]
    level: float
    n_boot: int
    seed: int


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
        if comparators.COMPARATORS[curves[0].method].gap:
            yield from gap_rows(curves, full, bootstrap)


def accuracy_rows(curve: Curve, y: Tensor, classes: Sequence[str]) -> Iterator[Row]:
    """Yield accuracy, class-wise accuracy and whether the regulariser lies at the edge of its grid, size by size."""
    by_class, accuracy = curve.class_accuracy(y).tolist(), curve.accuracy.tolist()
    for j in range(len(curve.sizes)):
        point = _point(curve, j) | {
            "l2": float(curve.l2[j]),
            "converged": None if curve.converged is None else bool(curve.converged[j]),
        }
        yield point | {"metric": names.ACCURACY, "value": accuracy[j]}
        if curve.at_edge is not None:
            yield point | {"metric": names.AT_EDGE, "value": float(curve.at_edge[j])}
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
        for estimator, metric in ESTIMATORS.items():
            for delta in deltas:
                value = redundancy.diffused_redundancy(fraction, points, points[-1], delta=delta, estimator=estimator)
                yield whose | {"delta": delta, "metric": metric, "value": value}


def inequality_rows(curves: Sequence[Curve], y: Tensor) -> Iterator[Row]:
    """Yield the inequality over classes at every size.

    As published, the accuracy of each class is averaged over draws first, which hides the unfairness of a single draw:
    the row without a repeat. With several draws the values of each of them follow.
    """
    by_class = torch.stack([curve.class_accuracy(y) for curve in curves])[..., y.unique()]
    for by_size, whose in _pooled_then_drawn(curves, by_class):
        for j, values in enumerate(by_size.cpu().numpy()):
            for metric, measure in INEQUALITY.items():
                yield _point(curves[0], j) | whose | {"metric": metric, "value": measure(values)}


def gap_rows(curves: Sequence[Curve], full: Curve, bootstrap: Bootstrap) -> Iterator[Row]:
    """Yield the accuracy of the full layer minus that of the subsets, with a paired bootstrap over rows and draws."""
    options = {"level": bootstrap.level, "n_boot": bootstrap.n_boot, "seed": bootstrap.seed}
    for j, fraction in enumerate(curves[0].fractions):
        if fraction in bootstrap.fractions:
            correct = torch.stack([curve.correct[j] for curve in curves])
            gain, low, high = intervals.paired_bootstrap(correct, full.correct[0], **options)
            point = _point(curves[0], j) | _whose(curves[0], drawn=False)
            yield point | {"metric": names.GAP, "value": -gain, "low": -high, "high": -low}


def _pooled_then_drawn(curves: Sequence[Curve], values: Tensor) -> Iterator[tuple[Tensor, Row]]:
    """Yield the mean of `values` (n_draws, ...) over draws; then, of several draws, the values of each."""
    yield values.mean(0), _whose(curves[0], drawn=False)
    if len(curves) > 1:
        yield from ((of_draw, _whose(curve, drawn=True)) for curve, of_draw in zip(curves, values, strict=True))


def _whose(curve: Curve, *, drawn: bool) -> Row:
    draw = (curve.repeat, curve.seed) if drawn else (None, None)
    return {"method": curve.method, "probe": curve.probe, "repeat": draw[0], "seed": draw[1]}


def _point(curve: Curve, j: int) -> Row:
    return _whose(curve, drawn=True) | {"fraction": curve.fractions[j], "n_selected": curve.sizes[j]}
