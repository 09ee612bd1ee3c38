"""How tight and even the classes of a layer are: neural collapse in two published conventions, from moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from diffred_core.checks import check_choice, finite_features
from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments
from diffred_core.moments.blocks import BLOCK_ROWS

CONVENTIONS = ("papyan", "harun")


class SimplexDeviation(NamedTuple):
    """Three ways to miss an equiangular tight frame (Papyan, Han & Donoho 2020, figs. 2 to 4); all 0 for a simplex."""

    norm_variation: float
    angle_variation: float
    angle_deviation: float


@dataclass(frozen=True)
class NeuralCollapse:
    """NC1 to NC4, each 0 for a layer that has collapsed, in one convention; None where a classifier, or X, is missing.

    Attributes
    ----------
    nc1 : float
        ``tr(S_W pinv(S_B)) / C``: variation within classes, in units of that between them.
    nc2 : float or None
        papyan: mean ``|cos + 1/(C - 1)|`` of the class means. harun: distance of the unit-norm ``W'W`` from that
        of a simplex.
    nc3 : float or None
        papyan: squared distance of the unit-norm classifier from the unit-norm class means. harun: distance of the
        unit-norm ``W'M`` from the Gram matrix of a simplex.
    nc4 : float or None
        papyan: share of the rows of X that the classifier gives to another class than that of the nearest class
        mean. harun: ``||W' mu_G + b||``, the scores at the global mean.
    means : SimplexDeviation
        Of the class means about the global mean.
    weights : SimplexDeviation or None
        Of the classifier.
    """

    nc1: float
    nc2: float | None
    nc3: float | None
    nc4: float | None
    means: SimplexDeviation
    weights: SimplexDeviation | None


def simplex_deviation(vectors: Tensor) -> SimplexDeviation:
    """Return how far the rows of `vectors` are from a simplex equiangular tight frame.

    Parameters
    ----------
    vectors : Tensor (n_classes, n_features)
        Class means about the global mean, or ``weight.T`` of a classifier.

    Returns
    -------
    SimplexDeviation
        `norm_variation`, population std over mean of the norms; `angle_variation`, population std of the cosines of all
        pairs of classes; `angle_deviation`, mean of ``|cos + 1/(n_classes - 1)|`` over them.

    Raises
    ------
    InputError
        Fewer than two vectors, or one of length 0, which has no angle.
    """
    vectors = torch.as_tensor(vectors).double()
    if vectors.ndim != 2 or len(vectors) < 2:
        raise InputError(
            f"expected vectors of shape (n_classes, n_features), at least two, got {tuple(vectors.shape)}; "
            "pass one row for every class"
        )
    norms = torch.linalg.vector_norm(vectors, dim=1)
    if not (norms > 0).all():
        raise InputError(
            f"expected vectors of positive length, got 0 for class {int((norms == 0).nonzero()[0])}; "
            "a class mean at the global mean has no direction"
        )
    directions = vectors / norms[:, None]
    i, j = torch.triu_indices(len(vectors), len(vectors), offset=1)
    cosines = (directions @ directions.T)[i, j]
    return SimplexDeviation(
        float(norms.std(correction=0) / norms.mean()),
        float(cosines.std(correction=0)),
        float((cosines + 1 / (len(vectors) - 1)).abs().mean()),
    )


@torch.no_grad()
def neural_collapse(
    moments: FeatureMoments,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    X: Tensor | None = None,
    convention: str = "papyan",
) -> NeuralCollapse:
    """Return NC1 to NC4 of a layer, and of a linear classifier on it.

    ``S_W = 1/n sum (x - mu_c)(x - mu_c)'`` and ``S_B = 1/C sum (mu_c - mu_G)(mu_c - mu_G)'``. The trace of NC1 is taken
    in the C - 1 directions that the class means span, so that neither matrix, nor a pseudo-inverse, is made.

    Parameters
    ----------
    moments : FeatureMoments
        With class sums: ``moments.from_features(X, y)``. Rows of training data, as published.
    weight : Tensor (n_features, n_classes), optional
        Of a probe on this layer (``LinearProbe.weight``), or ``weight.T`` of a `torch.nn.Linear`.
    bias : Tensor (n_classes,), optional
        By default 0.
    X : Tensor (n_samples, n_features), optional
        Rows on which papyan's NC4 compares the classifier with the nearest class mean.
    convention : {"papyan", "harun"}
        Papyan, Han & Donoho 2020 (``mu_G`` the mean of all rows), or what the code of Harun et al. 2025 computes, after
        Zhu et al. 2021 (``mu_G`` the mean of the class means). They differ in all four unless classes are of one size,
        where NC1 is the same.

    Returns
    -------
    NeuralCollapse

    Raises
    ------
    InputError
        Moments without class sums, fewer than two classes, a class without rows, class means that all coincide,
        a classifier of another shape or that is 0, or an unknown convention.

    Notes
    -----
    A ridge probe scores the class shares at the mean of all rows, whatever the layer: its harun NC4 says nothing.
    From moments of float32 features NC1 below 1e-6 is rounding.
    """
    check_choice(convention, CONVENTIONS, "expected convention 'papyan' or 'harun'")
    deviations = class_deviations(moments)
    offset = deviations.mean(0) if convention == "harun" else torch.zeros_like(moments.mean)
    centred = deviations - offset
    nc1, means = _within_over_between(moments, deviations, centred), simplex_deviation(centred)
    if weight is None:
        nc2 = means.angle_deviation if convention == "papyan" else None
        return NeuralCollapse(nc1=nc1, nc2=nc2, nc3=None, nc4=None, means=means, weights=None)
    weight, bias = _classifier(weight, bias, centred)
    weights = simplex_deviation(weight.T)
    nc4: float | None
    if convention == "harun":
        nc2, nc3 = _from_simplex(weight.T @ weight), _from_simplex(centred @ weight)
        nc4 = float(torch.linalg.vector_norm((moments.mean + offset) @ weight + bias))
    else:
        apart = _frobenius_unit(weight, what="weights") - _frobenius_unit(centred.T, what="class means")
        nc2, nc3 = means.angle_deviation, float(apart.square().sum())
        nc4 = None if X is None else 1 - nearest_centre_agreement(moments, weight, bias, X)
    return NeuralCollapse(nc1=nc1, nc2=nc2, nc3=nc3, nc4=nc4, means=means, weights=weights)


@torch.no_grad()
def nearest_centre_agreement(moments: FeatureMoments, weight: Tensor, bias: Tensor | None, X: Tensor) -> float:
    """Return the share of rows that the classifier and the nearest class mean give to the same class.

    Papyan, Han & Donoho 2020, fig. 7 (there: the share on which they differ). Distances are Euclidean.

    Parameters
    ----------
    moments, weight, bias
        As in `neural_collapse`; the class means are the centres.
    X : Tensor (n_samples, n_features)

    Returns
    -------
    float

    Raises
    ------
    InputError
        As `neural_collapse`, and rows of another width or that are not finite.
    """
    deviations = class_deviations(moments)
    weight, bias = _classifier(weight, bias, deviations)
    X = finite_features(X, n_features=moments.n_features)
    at_mean = moments.mean @ weight + bias
    same = 0
    for block in X.split(BLOCK_ROWS):
        centred = block.double() - moments.mean
        # |x - mu|^2 is smallest where x.mu - |mu|^2/2 is largest
        nearest = (centred @ deviations.T - deviations.square().sum(1) / 2).argmax(1)
        same += int((nearest == (centred @ weight + at_mean).argmax(1)).sum())
    return same / len(X)


def within_between_ratio(moments: FeatureMoments) -> float:
    """Return the sum of squares within classes over that between them: NC1 without directions.

    ``sum_c sum_{i in c} ||x_i - mu_c||^2 / sum_c n_c ||mu_c - mean||^2``; classes weigh by their rows.

    Parameters
    ----------
    moments : FeatureMoments
        With class sums.

    Returns
    -------
    float
        0 for a collapsed layer; about ``(n - C) / (C - 1)`` for random labels.

    Raises
    ------
    InputError
        As `neural_collapse`.
    """
    squares = class_deviations(moments).square().sum(1)
    between = float(moments.class_totals[1] @ squares)
    if not between > 0:
        raise InputError("expected class means that differ, got the same mean for all; check the labels")
    return max(0.0, float(moments.gram.trace()) - between) / between


def class_deviations(moments: FeatureMoments) -> Tensor:
    """Return the class means minus the mean of all rows, ``(n_classes, n_features)``.

    Raises
    ------
    InputError
        Moments without class sums, fewer than two classes, or a class without rows.
    """
    sums, counts = moments.class_totals
    if len(counts) < 2:
        raise InputError("expected at least two classes in moments, got one; add rows of another class")
    empty = counts.eq(0)
    if empty.any():
        raise InputError(
            f"expected rows of every class 0..{len(counts) - 1} in moments, got none of class "
            f"{int(empty.nonzero()[0])}; number the classes that occur 0, 1, 2, ..."
        )
    return sums / counts[:, None]


def _within_over_between(moments: FeatureMoments, deviations: Tensor, centred: Tensor) -> float:
    """Return ``tr(S_W pinv(S_B)) / C = sum_i u_i' S_W u_i / s_i^2`` for singular pairs ``(s_i, u_i)`` of `centred`."""
    _, s, directions = torch.linalg.svd(centred, full_matrices=False)
    # a weighted sum of the C rows is 0 but for rounding; beyond that, the cut-off of a float64 pseudo-inverse of S_B
    s = s[: len(centred) - 1]
    kept = s.square() > moments.n_features * torch.finfo(s.dtype).eps * s[0].square()
    if not kept.any():
        raise InputError("expected class means that differ, got the same mean for all; check the labels")
    directions = directions[: len(s)][kept].T
    # n S_W = G - sum_c n_c delta_c delta_c'; the d x d matrix is never made
    total = (directions * (moments.gram @ directions)).sum(0)
    between = moments.class_totals[1] @ (deviations @ directions).square()
    within = (total - between).clamp_min(0) / moments.n
    return float((within / s[kept].square()).sum())


def _classifier(weight: Tensor, bias: Tensor | None, centred: Tensor) -> tuple[Tensor, Tensor]:
    shape = (centred.shape[1], len(centred))
    weight = torch.as_tensor(weight).to(centred)
    bias = centred.new_zeros(shape[1]) if bias is None else torch.as_tensor(bias).to(centred)
    if weight.shape != shape or bias.shape != shape[1:]:
        raise InputError(
            f"expected weight of shape (n_features, n_classes) = {shape} and bias of {shape[1:]}, got "
            f"{tuple(weight.shape)} and {tuple(bias.shape)}; pass weight.T of a torch.nn.Linear"
        )
    return weight, bias


def _from_simplex(gram: Tensor) -> float:
    """Return the distance of the unit-norm `gram` from ``(I - 11'/C) / sqrt(C - 1)``, that of a simplex."""
    C = len(gram)
    simplex = torch.eye(C, dtype=gram.dtype, device=gram.device) - 1 / C
    difference = _frobenius_unit(gram, what="weights and class means") - simplex / (C - 1) ** 0.5
    return float(torch.linalg.matrix_norm(difference))


def _frobenius_unit(matrix: Tensor, *, what: str) -> Tensor:
    """Return `matrix` over its Frobenius norm; refuse one that is 0."""
    norm: Tensor = torch.linalg.matrix_norm(matrix)
    if not norm > 0:
        raise InputError(f"expected {what} that differ from 0, got 0 throughout; check the layer and its labels")
    return matrix.div(norm)
