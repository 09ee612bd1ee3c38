"""Rows from curves: accuracy, accuracy by class, what was chosen, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core import intervals, redundancy
from diffred_core.chapters.random_subsets.curves import Curve
from diffred_core.results.rows import Row

ESTIMATORS = ("first", "nearest")
INEQUALITY = {"gini": redundancy.gini, "coefficient_of_variation": redundancy.coefficient_of_variation}


@dataclass(frozen=True)
class Bootstrap:
    """Where the gap to the full layer gets an interval, and how."""

    fractions: Sequence[float]
    level: float
    n_boot: int
    seed: int


def family_rows(
    family: Sequence[Sequence[Curve]], y: Tensor, classes: Sequence[str], deltas: Sequence[float], bootstrap: Bootstrap
) -> Iterator[Row]:
    """Yield all rows of one probe: of the full layer, which comes first in `family`, then of every method.

    Random projections get no gap: too few draws for a resample of them to mean anything.
    """
    (full,), *others = family
    for curves in family:
        for curve in curves:
            yield from accuracy_rows(curve, y, classes)
        yield from inequality_rows(curves, y)
    for curves in others:
        yield from redundancy_rows(curves, full, deltas)
        if not curves[0].method.startswith("random_projection"):
            yield from gap_rows(curves, full, bootstrap)


def accuracy_rows(curve: Curve, y: Tensor, classes: Sequence[str]) -> Iterator[Row]:
    """Yield accuracy, class-wise accuracy and whether the regulariser lies at the edge of its grid, size by size."""
    by_class, accuracy = curve.class_accuracy(y), curve.accuracy.tolist()
    for j in range(len(curve.sizes)):
        point = _point(curve, j)
        yield point | {"metric": "accuracy", "value": accuracy[j]}
        if curve.at_edge is not None:
            yield point | {"metric": "l2_at_edge", "value": float(curve.at_edge[j])}
        for label, value in zip(classes, by_class[j].tolist(), strict=True):
            if value == value:  # a class without measured rows has no accuracy
                yield point | {"label": label, "metric": "class_accuracy", "value": value}


def redundancy_rows(curves: Sequence[Curve], full: Curve, deltas: Sequence[float]) -> Iterator[Row]:
    """Yield diffused redundancy at every delta by both estimators.

    As published, accuracy is averaged over draws first; with several draws the values of each of them follow,
    under ``..._by_seed``, so that an interval can be given.
    """
    mean = torch.stack([curve.accuracy for curve in curves]).mean(0)
    yield from _redundancy(curves[0], mean, full, deltas, _pooled(curves[0]), "")
    if len(curves) > 1:
        for curve in curves:
            yield from _redundancy(curve, curve.accuracy, full, deltas, _drawn(curve), "_by_seed")


def inequality_rows(curves: Sequence[Curve], y: Tensor) -> Iterator[Row]:
    """Yield the inequality over classes at every size.

    As published, the accuracy of each class is averaged over draws first, which hides the unfairness of a single
    draw; with several draws the values of each of them follow, under ``..._by_seed``.
    """
    by_class = torch.stack([curve.class_accuracy(y) for curve in curves])
    by_class = by_class[..., y.unique()]
    yield from _inequality(curves[0], by_class.mean(0), _pooled(curves[0]), "")
    if len(curves) > 1:
        for curve, values in zip(curves, by_class, strict=True):
            yield from _inequality(curve, values, _drawn(curve), "_by_seed")


def gap_rows(curves: Sequence[Curve], full: Curve, bootstrap: Bootstrap) -> Iterator[Row]:
    """Yield the accuracy of the full layer minus that of the subsets, with a paired bootstrap over rows and draws."""
    correct = torch.stack([curve.correct for curve in curves], dim=1)
    options = {"level": bootstrap.level, "n_boot": bootstrap.n_boot, "seed": bootstrap.seed}
    for fraction, size, draws in zip(curves[0].fractions, curves[0].sizes, correct, strict=True):
        if fraction in bootstrap.fractions:
            gain, low, high = intervals.paired_bootstrap(draws, full.correct[0], **options)
            point = _pooled(curves[0]) | {"fraction": fraction, "n_selected": size}
            for metric, value in (("accuracy_gap", -gain), ("accuracy_gap_low", -high), ("accuracy_gap_high", -low)):
                yield point | {"metric": metric, "value": value}


def _pooled(curve: Curve) -> Row:
    return {"method": curve.method, "probe": curve.probe}


def _drawn(curve: Curve) -> Row:
    return _pooled(curve) | {"repeat": curve.repeat, "seed": curve.seed}


def _point(curve: Curve, j: int) -> Row:
    return _drawn(curve) | {
        "fraction": curve.fractions[j],
        "n_selected": curve.sizes[j],
        "l2": float(curve.l2[j]),
        "converged": None if curve.converged is None else bool(curve.converged[j]),
    }


def _redundancy(
    curve: Curve, accuracy: Tensor, full: Curve, deltas: Sequence[float], who: Row, suffix: str
) -> Iterator[Row]:
    full_accuracy = float(full.accuracy)
    fraction = torch.tensor([*curve.fractions, 1.0], dtype=torch.float64)
    accuracy = torch.cat([accuracy, full.accuracy])
    for estimator in ESTIMATORS:
        for delta in deltas:
            value = redundancy.diffused_redundancy(fraction, accuracy, full_accuracy, delta=delta, estimator=estimator)
            yield who | {"delta": delta, "metric": f"diffused_redundancy_{estimator}{suffix}", "value": float(value)}


def _inequality(curve: Curve, by_class: Tensor, who: Row, suffix: str) -> Iterator[Row]:
    for j, values in enumerate(by_class):
        point = who | {"fraction": curve.fractions[j], "n_selected": curve.sizes[j]}
        for metric, measure in INEQUALITY.items():
            yield point | {"metric": metric + suffix, "value": float(measure(values))}
