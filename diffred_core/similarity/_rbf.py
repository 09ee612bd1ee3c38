"""CKA with a Gaussian kernel."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.cka import kernel_cka
from diffred_core.errors import InputError
from diffred_core.similarity._pair import centred_pair


@torch.no_grad()
def rbf_cka(X: Tensor | ArrayLike, Y: Tensor | ArrayLike, *, bandwidth: float = 0.5, debiased: bool = True) -> float:
    """Return CKA with Gaussian kernels ``exp(-|x_i - x_j|^2 / (2 s^2))`` (Kornblith et al. 2019, sec. 3).

    The width s is `bandwidth` times the median distance between two samples, of each layer on its own: rescaling a
    layer changes nothing. As the bandwidth grows the value tends to that of linear CKA.

    Parameters
    ----------
    X : Tensor of shape (n_samples, d_x)
        Features of one layer.
    Y : Tensor of shape (n_samples, d_y)
        Features of the same samples in the other.
    bandwidth : float
        Fraction of the median distance, positive.
    debiased : bool
        Whether to use the unbiased estimator of HSIC.

    Returns
    -------
    float
        At most 1. Memory is n x n: take a few thousand rows at most.

    Raises
    ------
    InputError
        If the bandwidth is not positive, more than half of the distances are 0, or as `cka.kernel_cka`.
    """
    if not bandwidth > 0:
        raise InputError(f"expected bandwidth above 0, got {bandwidth}; 0.5 is half the median distance")
    K, L = (_gaussian(values, bandwidth) for values in centred_pair(X, Y))
    return kernel_cka(K, L, debiased=debiased)


def _gaussian(X: Tensor, bandwidth: float) -> Tensor:
    distance = torch.cdist(X, X, compute_mode="donot_use_mm_for_euclid_dist")
    pairs = torch.triu_indices(len(X), len(X), 1, device=X.device)
    median = distance[pairs[0], pairs[1]].median() if len(X) > 1 else distance.sum()
    if median == 0:
        raise InputError(
            "expected samples that differ, got a median distance of 0 between them; drop duplicate rows first"
        )
    return torch.exp(-0.5 * (distance / (bandwidth * median)).square())
