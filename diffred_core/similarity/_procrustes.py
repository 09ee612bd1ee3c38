"""How far one layer is a rotation of another."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.similarity._pair import centred_pair


@torch.no_grad()
def procrustes_similarity(X: Tensor | ArrayLike, Y: Tensor | ArrayLike) -> float:
    """Return the orthogonal Procrustes similarity ``|X'Y|_* / (|X| |Y|)`` (nuclear norm over Frobenius norms).

    The cosine between X and Y after the best rotation of one onto the other; it equals 1 - D^2/2 for the Procrustes
    distance D of layers scaled to norm 1 (Ding, Denain and Steinhardt 2021).

    Parameters
    ----------
    X : Tensor of shape (n_samples, d_x)
        Features of one layer.
    Y : Tensor of shape (n_samples, d_y)
        Features of the same samples in the other.

    Returns
    -------
    float
        In [0, 1]; 1 for layers equal up to rotation, scale and offset.

    Raises
    ------
    InputError
        If the layers have different rows, are not finite, or one does not vary.
    """
    X, Y = (_narrowed(values) for values in centred_pair(X, Y))
    return float(torch.linalg.svdvals(X.T @ Y).sum() / (X.norm() * Y.norm()))


def _narrowed(X: Tensor) -> Tensor:
    """Return X, or for n < d an n x n matrix equal to X up to a rotation: X' = QR, so X = R'Q'."""
    return torch.linalg.qr(X.T, mode="r").R.T if X.shape[0] < X.shape[1] else X
