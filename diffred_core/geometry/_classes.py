"""How tight the classes of a layer are for how far apart they stand, and how many of its dimensions each takes."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import one_hot

from diffred_core.checks import as_labels, finite_features
from diffred_core.errors import InputError
from diffred_core.geometry._collapse import class_deviations
from diffred_core.moments import FeatureMoments
from diffred_core.moments.blocks import BLOCK_ROWS


@torch.no_grad()
def class_variances(X: Tensor | ArrayLike, y: Tensor | ArrayLike, moments: FeatureMoments) -> Tensor:
    """Return the variance of every feature within every class: sums over features are those of a subset.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
    y : Tensor (n_samples,) of int64
    moments : FeatureMoments
        Of these rows, with class sums.

    Returns
    -------
    Tensor (n_classes, n_features) of float64
        Population variances: 0 for a class with one row.

    Raises
    ------
    InputError
        As `neural_collapse`; rows that are not those of the moments.
    """
    X = finite_features(X, n_features=moments.n_features)
    y = as_labels(y, len(X)).to(X.device)
    deviations, counts = class_deviations(moments), moments.class_totals[1]
    if not torch.equal(torch.bincount(y, minlength=len(counts)).double(), counts):
        raise InputError(
            f"expected the {moments.n} rows of the moments in X and y, got {len(X)} rows or other labels; pass those "
            "that the moments were made from"
        )
    squares = torch.zeros_like(deviations)
    for block, label in zip(X.split(BLOCK_ROWS), y.split(BLOCK_ROWS), strict=True):
        apart = block.double() - moments.mean - deviations[label]
        squares += one_hot(label, len(counts)).double().T @ apart.square()
    return squares / counts[:, None]


@torch.no_grad()
def cdnv(moments: FeatureMoments, variances: Tensor) -> float:
    """Return the class-distance normalized variance, mean over pairs of classes (Galanti, György and Hutter 2022).

    ``V_ab = (v_a + v_b) / (2 ||mu_a - mu_b||^2)`` with ``v_a`` the mean squared distance of the rows of class a from
    their mean. All pairs weigh the same, whatever the number of their rows.

    Parameters
    ----------
    moments : FeatureMoments
        With class sums; of a layer, or of some of its features (`FeatureMoments.select`).
    variances : Tensor (n_classes, n_features)
        From `class_variances`, of the same features.

    Returns
    -------
    float
        0 for a collapsed layer. A class with one row adds a variance of 0.

    Raises
    ------
    InputError
        As `neural_collapse`; variances of another shape; two classes with the same mean.
    """
    means = class_deviations(moments)
    if variances.shape != means.shape:
        raise InputError(
            f"expected variances of shape (n_classes, n_features) = {tuple(means.shape)}, got "
            f"{tuple(variances.shape)}; take the same features of both"
        )
    spread = variances.double().sum(1)
    a, b = torch.triu_indices(len(means), len(means), offset=1, device=means.device)
    apart = (means[a] - means[b]).square().sum(1)
    if not (apart > 0).all():
        same = int((apart == 0).nonzero()[0])
        raise InputError(
            f"expected class means that differ, got the same for classes {int(a[same])} and {int(b[same])}; their "
            "distance is 0, and the measure 0/0"
        )
    return float(((spread[a] + spread[b]) / (2 * apart)).mean())


@torch.no_grad()
def feature_dimensionality(vectors: Tensor) -> Tensor:
    """Return how many dimensions every vector has to itself (Elhage et al. 2022, "feature dimensionality").

    ``D_c = ||w_c||^2 / sum_j (w_c' w_j / ||w_c||)^2``: 1 for a direction of its own, 1/m for one that m share. Here the
    vectors are classes: their means about the mean of the class means (`class_centres`), or the weights of a probe.

    Parameters
    ----------
    vectors : Tensor (n_vectors, n_features)

    Returns
    -------
    Tensor (n_vectors,) of float64
        Each in [0, 1]; their sum is at most the rank of the vectors. A vector that is 0 has 0.

    Raises
    ------
    InputError
        No matrix, or vectors that are all 0.
    """
    vectors = torch.as_tensor(vectors).double()
    if vectors.ndim != 2 or not vectors.any():
        raise InputError(
            f"expected vectors of shape (n_vectors, n_features) that are not all 0, got {tuple(vectors.shape)}; pass "
            "one row for every class"
        )
    gram = vectors @ vectors.T
    squares = gram.diagonal()
    return torch.where(squares > 0, squares.square() / gram.square().sum(1), 0.0)


def class_centres(moments: FeatureMoments) -> Tensor:
    """Return the class means about their own mean, ``(n_classes, n_features)``: every class weighs the same.

    Raises
    ------
    InputError
        As `neural_collapse`.
    """
    deviations = class_deviations(moments)
    return deviations - deviations.mean(0)
