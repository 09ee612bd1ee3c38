"""What CKA would be without redundancy, or without any relation: the lines that a curve has to be read against."""

from __future__ import annotations

import torch
from torch import Tensor

from diffred_core.cka._ratio import check_rows, checked_self
from diffred_core.cka._subset import checked_masks
from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments


def diagonal_null(moments: FeatureMoments, masks: Tensor) -> Tensor:
    """Return the CKA of every subset with the full layer, had the features the same variances but no correlation.

    A subset lies inside the full layer, so this is far from 0: sqrt(k/d) for k of d features of equal variance.
    CKA above it is redundancy, CKA at it is mere inclusion. With h = diag(G)^2 and weights w = mask^2 it is
    ``sum_j w_j h_j / sqrt(sum_j w_j^2 h_j * sum_j h_j)``, for hard masks ``sqrt(sum_S h / sum h)``.

    Parameters
    ----------
    moments : FeatureMoments
        Moments of the layer.
    masks : Tensor of shape (n_subsets, n_features)
        Hard or soft masks.

    Returns
    -------
    Tensor of shape (n_subsets,), float64

    Raises
    ------
    InputError
        If the shape does not fit, a mask is empty, or the features of a subset are constant.
    """
    W = checked_masks(masks, moments)
    h = moments.gram.diagonal().square()
    own = W.square() @ h
    whole = h.sum()[None]
    return W @ h / checked_self(own, own, what="masks") / checked_self(whole, whole, what="layer")


def permutation_null_mean(moments: FeatureMoments, other: FeatureMoments, *, masks: Tensor | None = None) -> Tensor:
    """Return the mean biased CKA over all permutations of the rows of one of two layers, in closed form.

    E <K, PLP'> = tr K tr L / (n - 1) for centred kernels: off the diagonal, L is replaced by its mean. So the
    mean CKA is ``tr K tr L / ((n - 1) |K| |L|)``, and tr K = tr G, |K| = |G|. The mean of debiased CKA is exactly 0.

    Parameters
    ----------
    moments, other : FeatureMoments
        Moments of two layers over the same number of rows; the same object twice for a subset and its layer.
    masks : Tensor of shape (n_subsets, n_features), optional
        Subsets of the first layer; by default one, the full layer.

    Returns
    -------
    Tensor of shape (n_subsets,), float64

    Raises
    ------
    InputError
        If the layers differ in their number of rows, or features are constant.
    """
    check_rows(min(moments.n, other.n), debiased=False)
    if moments.n != other.n:
        raise InputError(
            f"expected moments over the same rows, got {moments.n} and {other.n} rows; use the same samples for both"
        )
    ones = torch.ones(1, moments.n_features, device=moments.gram.device)
    W = checked_masks(ones if masks is None else masks, moments)
    own = ((W @ moments.gram.square()) * W).sum(1)
    whole = other.gram.square().sum()[None]
    norms = checked_self(own, own, what="masks") * checked_self(whole, whole, what="layer")
    return (W @ moments.gram.diagonal()) * other.gram.trace() / ((moments.n - 1) * norms)
