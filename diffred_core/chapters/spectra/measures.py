"""Every measure of one part of a layer: of its spectrum, of its labels, of its classes, and of a probe on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from diffred_core import cka, geometry, linear_probe
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.layer import Layer
from diffred_core.errors import InputError
from diffred_core.geometry import Spectrum
from diffred_core.linear_probe import LinearProbe
from diffred_core.moments import FeatureMoments

Measured = Iterator[tuple[str, float]]  # metric, value
MOST_TASKS = 10  # of task diversity: every class against the next
STRENGTH = 1.0  # of label alignment regularisation: the target's images weigh as much as the task's
NOISE = 0.1  # of transverse noise, in units of the root mean square standard deviation of a feature


@dataclass(frozen=True, eq=False)
class Part:
    """Some features of a layer, with all that several measures read.

    Attributes
    ----------
    layer : Layer
    columns : LongTensor (n_selected,)
    moments : FeatureMoments
        Of these features on the training rows.
    spectrum : Spectrum
        Of these features; the labels have no say in it.
    probe : LinearProbe
        The ridge probe on them, its regulariser chosen on validation rows.
    """

    layer: Layer
    columns: Tensor
    moments: FeatureMoments
    spectrum: Spectrum
    probe: LinearProbe

    @property
    def weight(self) -> Tensor:
        """Weights of the probe, ``(n_selected, n_classes)``, on the features in the order of `columns`."""
        return self.probe.weight

    @cached_property
    def rows(self) -> Tensor:
        """Training rows, these features alone."""
        return self.layer.X["train"].index_select(1, self.columns)  # a fourth of the time that indexing takes


def without_labels(part: Part) -> Measured:
    """Yield how many directions the features use, and their entropy over a batch."""
    yield names.NUMERICAL_RANK, geometry.numerical_rank(part.spectrum)
    yield names.STABLE_RANK, geometry.stable_rank(part.spectrum)
    yield names.RANKME, geometry.rankme(part.spectrum)
    yield names.ENTROPY, geometry.batch_entropy(part.moments)


def of_labels(part: Part) -> Measured:
    """Yield where in the spectrum the labels lie, and how alike the kernels of features and labels are.

    The rank of all labels is left out where the features do not hold that share of them.
    """
    alignment = geometry.label_alignment(part.moments, of=part.spectrum)
    yield names.TOP_ENERGY, float(alignment[min(part.layer.n_classes - 1, len(alignment)) - 1])
    yield names.ENERGY, float(alignment[-1])
    yield names.RANK_OF_SPAN, geometry.alignment_rank(alignment, share=names.SPAN_SHARE)
    if alignment[-1] > names.SPAN_SHARE:
        yield names.RANK_OF_LABELS, geometry.alignment_rank(alignment, share=names.SPAN_SHARE, of="labels")
    yield names.LABEL_CKA, cka.label_cka(part.moments)
    yield names.TARGET_ALIGNMENT, cka.kernel_target_alignment(part.moments)


def of_classes(part: Part) -> Measured:
    """Yield how tight the classes are for how far apart they stand, in several conventions.

    The class separation is left out where a row is 0 in all of the features: it has no direction. CDNV is left out
    where two classes have one mean, as where all features are 0 for both: it would be infinite.
    """
    X, y = part.rows, part.layer.y["train"]
    if X.any(1).all():
        yield names.SEPARATION, geometry.class_separation(X, y)
    collapse = geometry.neural_collapse(part.moments, part.weight, part.probe.bias, X=X, convention=names.CONVENTION)
    for metric in (names.NC1, names.NC2, names.NC3, names.NC4):
        yield metric, float(getattr(collapse, metric))
    centres = geometry.class_centres(part.moments)
    if (torch.pdist(centres) > 0).all():
        yield names.CDNV, geometry.cdnv(part.moments, part.layer.variances[:, part.columns])
    yield names.DIMENSIONS, float(geometry.feature_dimensionality(centres).mean())


def diversity(part: Part) -> Measured:
    """Yield the mean distance of small tasks, every class against the next, by the Fisher information of their heads.

    The head of a task is that of the probe, cut to its two classes.
    """
    X, y = part.rows, part.layer.y["train"]
    scores = X.double() @ part.weight + part.probe.bias
    classes = torch.arange(part.layer.n_classes, device=y.device)
    pairs = torch.stack([classes, classes.roll(-1)], 1)[: MOST_TASKS if len(classes) > 2 else 1]
    if len(pairs) < 2:
        return
    members = [(y == a) | (y == b) for a, b in pairs.tolist()]
    embeddings = [
        geometry.head_fisher(X[rows], scores[rows][:, pair]) for rows, pair in zip(members, pairs, strict=True)
    ]
    yield names.DIVERSITY, geometry.task_diversity(torch.stack(embeddings))


def of_probe(part: Part, *, split: str, tangents: Tensor | None, seed: int) -> Measured:
    """Yield what the probe reaches, what it leaves to others, how rough it is, and what noise off the data does."""
    whole = part.layer.moments
    yield names.ACCURACY, float(part.probe.accuracy(part.layer.X[split], part.layer.y[split]))
    left = geometry.gradmax_values(whole, part.weight, features=part.columns).square().sum()
    yield names.GRADIENT_LEFT, float(left / (whole.class_totals[0] / whole.n).square().sum())
    yield names.PROBE_COMPLEXITY, geometry.geometric_complexity(part.weight)
    if tangents is not None and len(tangents):
        yield names.COMPLEXITY, geometry.geometric_complexity(part.weight, tangents=tangents[:, part.columns])
    tail = geometry.tail_map(part.spectrum, part.weight)
    yield names.TRANSVERSE, float(tail.trace() / part.weight.square().sum())
    yield names.FLIPS, _flip_rate(part, tail, split=split, seed=seed)


def _flip_rate(part: Part, tail: Tensor, *, split: str, seed: int) -> float:
    """Return the share of predictions that one draw of noise in the tail turns.

    White noise there moves the scores by a normal vector of covariance `tail`, so that is what is drawn: C numbers a
    row instead of one a direction.
    """
    scores = part.probe.scores(part.layer.X[split]).double()
    values, vectors = torch.linalg.eigh(tail)
    draw = torch.randn(len(scores), len(tail), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    scale = NOISE * part.moments.variance.mean().sqrt()
    moved = scores + scale * (draw.to(tail) * values.clamp_min(0).sqrt()) @ vectors.T
    return float((moved.argmax(1) != scores.argmax(1)).double().mean())


def warm_start(part: Part, other: LinearProbe, rows: Tensor) -> Measured:
    """Yield the risk of a start at the probe of another domain over that of a start at 0, on a few training `rows`.

    Features are centred at their mean, for neither start has an intercept. Left out where the rows span all features,
    when no start has a risk.
    """
    if len(rows) <= len(part.columns):
        X = part.rows[rows].double() - part.moments.mean
        centred = FeatureMoments(part.moments.n, torch.zeros_like(part.moments.mean), part.moments.gram)
        risks = [
            geometry.warm_start_risk(X, centred, difference) for difference in (part.weight - other.weight, part.weight)
        ]
        if risks[1] > 0:
            yield names.WARM_START, risks[0] / risks[1]


def on_target(part: Part, other: Layer, own: LinearProbe, *, split: str) -> Iterator[tuple[str, float]]:
    """Yield the accuracy in another domain of probes of this one, by name; and of its `own`, which knows its labels.

    k of label alignment is that of the task, for its images and, their labels unknown, those of the other domain.
    """
    X, y, target = other.X[split], other.y[split], other.moments.select(part.columns)
    alignment = geometry.label_alignment(part.moments, extended=True)
    rank = geometry.alignment_rank(alignment, share=names.SPAN_SHARE)
    whole = len(part.columns) + 1
    for name, k, strength in ((names.LEAST_SQUARES, whole, 0.0), (names.LABEL_ALIGNED, rank, STRENGTH)):
        probe = linear_probe.fit_label_aligned(part.moments, target, strength=strength, rank=k)
        yield name, float(probe.accuracy(X[:, part.columns], y))
    yield names.RIDGE, float(part.probe.accuracy(X, y))
    yield names.ORACLE, float(own.accuracy(X, y))


def measures(part: Part, *, split: str, tangents: Tensor | None, seed: int) -> Measured:
    """Yield every measure of one part that needs no second domain.

    Raises
    ------
    InputError
        As the measures: a class without rows, features that do not vary.
    """
    if part.layer.method != names.SHUFFLED:
        yield from without_labels(part)
    yield from of_labels(part)
    yield from of_classes(part)
    if part.layer.method != names.ROTATED:
        yield from diversity(part)
    in_axes = part.layer.method == names.RANDOM  # tangents are those of this network, in its own axes
    yield from of_probe(part, split=split, tangents=tangents if in_axes else None, seed=seed)


def check_tangents(tangents: Tensor | None, layer: Layer) -> None:
    """Refuse tangents of another layer."""
    if tangents is not None and len(tangents) and tangents.shape[1] != layer.n_features:
        raise InputError(
            f"expected tangents of {layer.n_features} features, got {tangents.shape[1]}; take them from the source of "
            "the features"
        )
