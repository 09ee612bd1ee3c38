"""CKA of two kernel matrices: the n x n form, for few rows or for kernels that are not linear."""

from __future__ import annotations

import torch
from torch import Tensor

from diffred_core.cka._ratio import check_rows, checked_self
from diffred_core.errors import InputError


def centred_kernel(K: Tensor, *, debiased: bool) -> Tensor:
    """Return the doubly centred kernel HKH, or the U-centred one.

    The inner product of two U-centred kernels is n (n - 3) times the unbiased HSIC (Song et al. 2012; by
    centring as in Szekely and Rizzo 2014): zero the diagonal, then take off row and column means with
    n - 2 and n - 1 in place of n. Nothing cancels, and the factor drops out of CKA.
    """
    n = len(K)
    if not debiased:
        return K - K.mean(0) - K.mean(1, keepdim=True) + K.mean()
    K = K.clone().fill_diagonal_(0.0)
    rows = K.sum(1) / (n - 2)
    return (K - rows - rows[:, None] + K.sum() / ((n - 1) * (n - 2))).fill_diagonal_(0.0)


def kernel_cka(K: Tensor, L: Tensor, *, debiased: bool = True) -> float:
    """Return the CKA of two kernel matrices (Kornblith et al. 2019, eq. 4; debiased as in Nguyen et al. 2021, eq. 3).

    Parameters
    ----------
    K, L : Tensor of shape (n_samples, n_samples)
        Symmetric kernel matrices of the same samples.
    debiased : bool
        Whether to use the unbiased estimator of HSIC; its value can be negative and is not clipped.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    InputError
        If the shapes differ, a kernel is not symmetric, there are fewer than 4 rows (2 if not debiased), or a kernel
        does not vary.
    """
    for name, kernel in (("K", K), ("L", L)):
        if kernel.shape != (len(K), len(K)) or not torch.allclose(kernel, kernel.T, equal_nan=True):
            raise InputError(
                f"expected {name} to be a symmetric matrix of shape ({len(K)}, {len(K)}), got {tuple(kernel.shape)}"
                f"{' and not symmetric' if kernel.shape == (len(K), len(K)) else ''}; pass two kernels of the same rows"
            )
    check_rows(len(K), debiased=debiased)
    plain = torch.stack([centred_kernel(kernel.double(), debiased=False).square().sum() for kernel in (K, L)])
    centred = [centred_kernel(kernel.double(), debiased=debiased) for kernel in (K, L)]
    norms = checked_self(torch.stack([kernel.square().sum() for kernel in centred]), plain, what="kernel")
    return float((centred[0] * centred[1]).sum() / norms[0] / norms[1])
