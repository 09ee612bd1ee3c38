"""Probes for a target without labels, their options chosen by a rule, with such labels or without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import torch

from diffred_core import geometry, linear_probe, moments
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.layer import relabelled
from diffred_core.chapters.spectra.measures import STRENGTH
from diffred_core.chapters.spectra.shifts import Rows, Shift
from diffred_core.linear_probe import LAYER_L2, AlignedSolver, LabelAlignment, LinearProbe
from diffred_core.moments import FeatureMoments

# of those of the released code (k and k' of 8 to 256, strengths 0.1 and 10), some, and k' = k; its 500 steps are of
# another size, so that several numbers are tried
RANKS = (8, 32, 128)
STRENGTHS = (0.1, 10.0)
STEPS = (100, 1000, 10000)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A probe, and its accuracy by every rule that may choose it."""

    probe: LinearProbe
    scores: Mapping[str, float]


def closed_forms(shift: Shift) -> Iterator[tuple[str, str, float]]:
    """Yield the accuracy in the target of every probe that needs no training loop: its name, the rule, the value.

    Least squares and label alignment, either as the minimiser (the second as published, at k(0.9) and strength 1) and
    after as many steps of descent as the rule chooses, for label alignment with rank and strength; ridge; and ridge on
    the target's own labels. Before them, what the commonest class of the source is worth.
    """
    yield names.COMMONEST, names.FIXED, shift.accuracy(shift.train[1].mode().values, shift.measured[1])
    source, target = _moments(shift.train, shift), _moments(shift.target, shift)
    alignment, whole = LabelAlignment.of(source, target), source.n_features + 1
    rank = geometry.alignment_rank(geometry.label_alignment(source, extended=True), share=names.SPAN_SHARE)
    plain = alignment.solver(strength=0.0, rank=whole)
    yield names.LEAST_SQUARES, names.FIXED, _reached(plain.probe(source), shift)
    aligned = alignment.solver(strength=STRENGTH, rank=rank)
    yield names.LABEL_ALIGNED, names.FIXED, _reached(aligned.probe(source), shift)
    ranks = [k for k in RANKS if k < whole] or [1]
    families = {names.STOPPED: [(whole, 0.0)], names.ALIGNED_STOPPED: list(product(ranks, STRENGTHS))}
    for name, options in families.items():
        tried = [one for option in options for one in _candidates(shift, (source, target), alignment, *option)]
        for rule in names.RULES:
            best = max(tried, key=lambda one: one.scores[rule])
            yield name, rule, _reached(best.probe, shift)
    yield names.RIDGE, names.SOURCE_VALIDATION, _reached(_ridge(source, shift.validation), shift)
    yield names.ORACLE, names.TARGET_LABELS, _reached(_ridge(target, shift.target_validation), shift)


def _moments(rows: Rows, shift: Shift) -> FeatureMoments:
    return moments.from_features(rows[0].double(), rows[1], n_classes=len(shift.kept), quartic=False)


def _reached(probe: LinearProbe, shift: Shift) -> float:
    X, y = shift.measured
    return shift.accuracy(probe.predict(X), y)


def _ridge(layer: FeatureMoments, validation: Rows) -> LinearProbe:
    l2 = torch.tensor(LAYER_L2, dtype=torch.float64) * layer.variance.mean().cpu()
    chosen, _ = linear_probe.choose_l2(linear_probe.fit_ridge(layer, l2=l2), *validation)
    return chosen


def _candidates(
    shift: Shift,
    layers: tuple[FeatureMoments, FeatureMoments],
    alignment: LabelAlignment,
    rank: int,
    strength: float,
) -> Iterator[_Candidate]:
    """Yield the probes of one rank and strength after every number of steps, with their scores."""
    source, target = layers
    forward = alignment.solver(strength=strength, rank=rank)
    back = alignment.swapped().solver(strength=strength, rank=rank)
    X, y = shift.target_validation
    for steps in STEPS:
        probe = forward.probe(source, steps=steps)
        predicted = probe.predict(shift.target[0])
        guessed = relabelled(target, shift.target[0], predicted, n_classes=len(shift.kept))
        scores = {
            names.SOURCE_VALIDATION: float(probe.accuracy(*shift.validation)),
            names.REVERSE_VALIDATION: reverse_accuracy(guessed, back, shift.validation, steps=steps),
            names.TARGET_LABELS: shift.accuracy(probe.predict(X), y),
        }
        yield _Candidate(probe, scores)


def reverse_accuracy(
    guessed: FeatureMoments, back: AlignedSolver, validation: Rows, *, steps: int | None = None
) -> float:
    """Return the score of reverse validation (Zhong et al. 2010; Ganin et al. 2016, sec. 5.1.1).

    The predictions for the target are taken for its labels, a probe with the same options is fitted to them with the
    source as its unlabelled target, and measured on validation rows of the source. No label of the target is read.

    Parameters
    ----------
    guessed : FeatureMoments
        Of the target's training rows, with class sums of the predictions for them.
    back : AlignedSolver
        Of the swapped domains.
    validation : Rows
        Of the source.
    steps : int, optional
        As in `AlignedSolver.probe`.
    """
    X, y = validation
    (classes,) = guessed.class_totals[1].nonzero(as_tuple=True)
    if len(classes) < 2:  # the reverse probe then says that class of every row
        return float((y == classes.to(y.device)).double().mean())
    return float(back.probe(guessed, steps=steps).accuracy(X, y))
