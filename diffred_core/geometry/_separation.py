"""How much of the spread of a layer lies between its classes."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import one_hot

from diffred_core.checks import as_labels, finite_features
from diffred_core.errors import InputError
from diffred_core.geometry._classes import class_deviations
from diffred_core.moments import FeatureMoments
from diffred_core.moments.blocks import BLOCK_ROWS


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


@torch.no_grad()
def class_separation(X: Tensor | ArrayLike, y: Tensor | ArrayLike) -> float:
    """Return the class separation ``R^2 = 1 - d_within / d_total`` of cosine distances (Kornblith et al. 2021).

    Both are means of ``1 - cos`` over pairs of rows, every class (pair of classes) weighing the same, pairs of a row
    with itself included. With unit rows z, class means m_k of z and their mean m it is exactly
    ``1 - (1 - mean_k ||m_k||^2) / (1 - ||m||^2)``: one pass over the rows instead of n^2 pairs.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        Not centred.
    y : Tensor (n_samples,) of int64
        Classes without rows are left out.

    Returns
    -------
    float
        From 0 (classes share one mean direction) to 1 (one direction a class).

    Raises
    ------
    InputError
        Fewer than two classes, a row that is 0 (it has no direction), or rows that all point the same way.
    """
    X = finite_features(X)
    y = as_labels(y, len(X)).to(X.device)
    counts = torch.bincount(y).double()
    if (counts > 0).sum() < 2:
        raise InputError("expected at least two classes in y, got one; add rows of another class")
    sums = X.new_zeros(len(counts), X.shape[1], dtype=torch.float64)
    for block, label in zip(X.split(BLOCK_ROWS), y.split(BLOCK_ROWS), strict=True):
        sums += one_hot(label, len(counts)).double().T @ _unit_rows(block.double())
    means = (sums / counts[:, None])[counts > 0]
    total = 1 - float(means.mean(0).square().sum())
    if total <= X.shape[1] * torch.finfo(torch.float64).eps:
        raise InputError("expected rows of several directions in X, got one; R^2 is then 0/0")
    return 1 - (1 - float(means.square().sum(1).mean())) / total


def _unit_rows(rows: Tensor) -> Tensor:
    norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    if not norms.all():
        raise InputError(
            f"expected rows that differ from 0 in X, got {int((norms == 0).sum())} zero rows; cosines need a direction"
        )
    return rows.div(norms)
