"""Canonical correlations, averaged in the two usual ways."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.similarity._pair import centred_pair


@torch.no_grad()
def svcca(X: Tensor | ArrayLike, Y: Tensor | ArrayLike, *, variance: float = 0.99) -> float:
    """Return the mean canonical correlation of the leading principal components (Raghu et al. 2017).

    Each layer is cut to the fewest components that hold the share `variance` of its variance; the mean is over as many
    correlations as the narrower one has components.

    Parameters
    ----------
    X : Tensor of shape (n_samples, d_x)
        Features of one layer.
    Y : Tensor of shape (n_samples, d_y)
        Features of the same samples in the other.
    variance : float
        Share of variance to keep, in (0, 1].

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        If `variance` is out of range, the rows do not match, or a layer has as many components as there are rows to
        correlate, when every correlation is 1 whatever the other layer.
    """
    if not 0 < variance <= 1:
        raise InputError(f"expected variance in (0, 1], got {variance}; 0.99 is usual")
    bases = [_basis(values, variance) for values in centred_pair(X, Y)]
    return float(torch.linalg.svdvals(bases[0].T @ bases[1]).clamp(max=1.0).mean())


@torch.no_grad()
def pwcca(X: Tensor | ArrayLike, Y: Tensor | ArrayLike) -> float:
    """Return the projection-weighted mean of the canonical correlations (Morcos, Raghu and Bengio 2018).

    The weight of canonical variable h_i of X is ``sum_j |<h_i, x_j>|`` over the features x_j: directions that account
    for more of X count more. Not symmetric, nor invariant to rotations of X: the weights go by its single features.

    Parameters
    ----------
    X : Tensor of shape (n_samples, d_x)
        Features of the layer that gives the weights.
    Y : Tensor of shape (n_samples, d_y)
        Features of the same samples in the other.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        As `svcca`.
    """
    X, Y = centred_pair(X, Y)
    basis = _basis(X, 1.0)
    left, correlations, _ = torch.linalg.svd(basis.T @ _basis(Y, 1.0), full_matrices=False)
    weights = ((basis @ left).T @ X).abs().sum(1)
    return float((weights * correlations.clamp(max=1.0)).sum() / weights.sum())


def _basis(X: Tensor, variance: float) -> Tensor:
    """Return an orthonormal basis (n_samples, rank) of the components that hold the share `variance`."""
    U, s, _ = torch.linalg.svd(X, full_matrices=False)
    rank = int((s > s[0] * max(X.shape) * torch.finfo(s.dtype).eps).sum())
    power = s[:rank].square()
    # fewest components whose share reaches `variance`; all of the rank for 1
    kept = rank if variance == 1 else int((power.cumsum(0) < variance * power.sum()).sum()) + 1
    kept = min(kept, rank)
    if kept >= len(X) - 1:
        raise InputError(
            f"expected fewer components than rows less one, got {kept} components of {len(X)} rows, where every "
            "canonical correlation is 1; pass more rows, or svcca with a smaller variance"
        )
    directions: Tensor = U[:, :kept]
    return directions
