"""The Cholesky factor behind every ridge probe, with a guard against a Gram matrix that has no inverse."""

from __future__ import annotations

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments


def ridge_factor(gram: Tensor, shift: Tensor) -> Tensor:
    """Return the lower Cholesky factor of ``gram + shift I`` in float64.

    Parameters
    ----------
    gram : Tensor (*batch, k, k) of float64
        Overwritten: a Gram matrix is the largest thing here, and each caller has just gathered its own.
    shift : Tensor (*batch) of float64
        ``n_samples * l2``.

    Raises
    ------
    InputError
        The matrix is singular to working precision, so that the ridge weights are not determined: a pivot is below
        ``k`` rounding errors of its diagonal entry. Happens for ``l2=0`` with constant or collinear features or with
        more features than rows, never for an `l2` of a sensible size.
    """
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    diagonal += shift[..., None]
    lower: Tensor
    lower, failed = torch.linalg.cholesky_ex(gram)
    pivots = lower.diagonal(dim1=-2, dim2=-1).square()
    singular = (pivots <= gram.shape[-1] * torch.finfo(gram.dtype).eps * diagonal).any(-1) | (failed > 0)
    if singular.any():
        raise InputError(
            f"expected l2 large enough for a ridge probe on {gram.shape[-1]} features, but their Gram matrix "
            "is singular (constant or collinear features, or more features than rows) and l2 is too small or 0; "
            "raise l2, for instance to 1e-6 of the largest feature variance, or drop the features"
        )
    return lower


def class_targets(moments: FeatureMoments) -> tuple[Tensor, Tensor]:
    """Return ``X'Y (n_features, n_classes)`` of centred features and one-hot labels, and the class shares."""
    sums, counts = moments.class_totals
    # the columns of centred X sum to zero, so centring Y changes nothing
    return sums.T, counts.double() / moments.n
