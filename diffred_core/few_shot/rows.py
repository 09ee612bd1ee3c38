"""Checks of rows and numbers that few-shot curves and masks share."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import finite_features
from diffred_core.errors import InputError
from diffred_core.few_shot._episodes import Episodes


def features_of(X: Tensor | ArrayLike, episodes: Episodes) -> Tensor:
    """Return `X` as `finite_features` does; refuse episodes that point beyond its rows."""
    X = finite_features(X)
    last = max(int(episodes.support.max()), int(episodes.query.max()))
    if last >= len(X):
        raise InputError(
            f"expected at least {last + 1} rows in X, as the episodes point to row {last}, got {len(X)}; "
            "pass the features of the rows whose labels the episodes were drawn from"
        )
    return X


def row_means(X: Tensor, rows: Tensor) -> Tensor:
    """Return the means of the rows ``rows (..., k)`` of X, ``(..., n_features)``, without a copy of those rows."""
    bags = rows.reshape(-1, rows.shape[-1]).to(X.device)
    means = torch.nn.functional.embedding_bag(bags, X, mode="mean")
    return means.reshape(*rows.shape[:-1], X.shape[1])


def safe_ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return ``numerator / denominator`` of values of at least 0, with 0/0 = 0 and nothing above 1e12.

    A dimension without difference and spread separates nothing. A difference over no spread separates perfectly: it
    counts far more than any other but stays finite.
    """
    return (numerator / denominator).nan_to_num_(nan=0.0, posinf=1e12).clamp_max_(1e12)


def check_shots(n_shot: float) -> float:
    """Return `n_shot` as a float; refuse one below 1."""
    if not n_shot >= 1:
        raise InputError(f"expected n_shot of at least 1, got {n_shot}; pass math.inf for known prototypes")
    return float(n_shot)
