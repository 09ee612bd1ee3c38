"""Whether two layers agree on who is near to whom."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.similarity._pair import centred_pair

_ROWS = 1024


@torch.no_grad()
def mutual_knn(X: Tensor | ArrayLike, Y: Tensor | ArrayLike, *, k: int = 10) -> float:
    """Return the mean share of common members among the k nearest neighbours in both layers (Huh et al. 2024).

    Neighbours are by Euclidean distance; differs from the paper, which normalises rows to length 1 first. The value
    for unrelated layers is k / (n - 1).

    Parameters
    ----------
    X : Tensor of shape (n_samples, d_x)
        Features of one layer.
    Y : Tensor of shape (n_samples, d_y)
        Features of the same samples in the other.
    k : int
        Number of neighbours, from 1 to n_samples - 1.

    Returns
    -------
    float
        In [0, 1]. Memory is 1024 x n.

    Raises
    ------
    InputError
        If `k` is out of range, the rows do not match, or a layer does not vary.
    """
    X, Y = centred_pair(X, Y)
    if not 1 <= k < len(X):
        raise InputError(f"expected k from 1 to {len(X) - 1} (n_samples - 1), got {k}; 10 is usual")
    common = 0
    for rows in torch.arange(len(X), device=X.device).split(_ROWS):
        near_x, near_y = _nearest(X, rows, k), _nearest(Y, rows, k)
        common += int((near_x[:, :, None] == near_y[:, None, :]).sum())
    return common / (k * len(X))


def _nearest(X: Tensor, rows: Tensor, k: int) -> Tensor:
    """Return the k nearest other samples of each of `rows`, shape (len(rows), k)."""
    distance = torch.cdist(X[rows], X)
    distance[torch.arange(len(rows), device=X.device), rows] = torch.inf
    return distance.topk(k, largest=False).indices
