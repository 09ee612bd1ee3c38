"""Batch entropy: whether the features of a layer vary over a batch at all."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments


def feature_entropy(moments: FeatureMoments) -> Tensor:
    """Return ``0.5 log(1 + pi e sigma_j^2)`` of every feature, sigma over rows with n - 1 (Peer et al. 2022, eq. 2).

    The factor is pi e, not the 2 pi e of a Gaussian, and the 1 keeps it from falling below 0: as published. It depends
    on the scale of the features, which goes with every value.

    Parameters
    ----------
    moments : FeatureMoments

    Returns
    -------
    Tensor (n_features,) of float64
        0 for a constant feature, in nats.

    Raises
    ------
    InputError
        Moments of one row.
    """
    if moments.n < 2:
        raise InputError("expected moments of at least 2 rows, got 1; one row has no variance")
    variance = moments.gram.diagonal() / (moments.n - 1)
    # log1p: in a layer that hardly varies log(1 + tiny) is 0, and the measure is about just that
    return torch.log1p(math.pi * math.e * variance) / 2


def batch_entropy(moments: FeatureMoments) -> float:
    """Return the mean of `feature_entropy` over the features; parameters and errors are the same."""
    return float(feature_entropy(moments).mean())
