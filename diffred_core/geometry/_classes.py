"""Class means and what lies between them, from moments alone."""

from __future__ import annotations

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments


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


def within_quadratic(moments: FeatureMoments, deviations: Tensor, directions: Tensor) -> Tensor:
    """Return ``u' S_W u`` for the columns u of `directions`, ``S_W = 1/n sum (x - mu_c)(x - mu_c)'``.

    ``n S_W = G - sum_c n_c delta_c delta_c'``; the d x d matrix is never made.
    """
    total = (directions * (moments.gram @ directions)).sum(0)
    between = moments.class_totals[1] @ (deviations @ directions).square()
    return (total - between).clamp_min(0) / moments.n


def frobenius_unit(matrix: Tensor, *, what: str) -> Tensor:
    """Return `matrix` over its Frobenius norm; refuse one that is 0."""
    norm: Tensor = torch.linalg.matrix_norm(matrix)
    if not norm > 0:
        raise InputError(f"expected {what} that differ from 0, got 0 throughout; check the layer and its labels")
    return matrix.div(norm)
