"""The simple transformation of Luo et al. (2022): no importance, no labels, no parameter to tune."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_features
from diffred_core.errors import InputError

_SHIFT = 1e-5  # of the released code


def simple_transform(X: Tensor | ArrayLike, *, power: float = 1.3) -> Tensor:
    """Return ``sign(x) (g(|x| + 1e-5) - g(1e-5))`` with ``g(t) = 1 / ln^power(1/t + 1)``, feature by feature.

    It lifts small features and compresses large ones. Luo et al. 2022 (arXiv 2206.08126), eq. 1 and 2, as the released
    code extends it to negative features; for positive ones it differs from the paper by a constant. That code applies
    it to raw features before a nearest-centroid classifier, and to L2-normalised rows before logistic regression.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
    power : float
        Above 0; 1.3 in the released code for every backbone.

    Raises
    ------
    InputError
        `X` is no feature matrix, or `power` is not above 0.
    """
    if not power > 0:
        raise InputError(f"power: expected a number above 0, got {power}; leave it out for the published 1.3")
    X = as_features(X)
    size = X.abs().add_(_SHIFT)
    offset = torch.tensor(_SHIFT, dtype=X.dtype, device=X.device)
    return X.sign() * (_lift(size, power) - _lift(offset, power))


def _lift(t: Tensor, power: float) -> Tensor:
    return torch.log1p(1 / t).pow(-power)
