"""What the curves demand of episodes, orders and masks, each said once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import finite_features
from diffred_core.errors import InputError
from diffred_core.few_shot._episodes import Episodes
from diffred_core.subsets import check_order


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


def episode_orders(
    order: Tensor, sizes: Sequence[int], *, n_episodes: int, n_features: int, device: torch.device
) -> tuple[Tensor, list[int]]:
    """Return `order` (n_features,) or (n_episodes, n_features) on `device`, and `sizes` as plain integers."""
    if order.ndim == 2 and order.shape != (n_episodes, n_features):
        raise InputError(
            f"expected order of shape ({n_features},) or ({n_episodes}, {n_features}), one permutation for all "
            f"episodes or one each, got {tuple(order.shape)}; rank the features of each episode, "
            "for instance importance.argsort(-1, descending=True)"
        )
    sizes = check_order(order[0] if order.ndim == 2 else order, sizes, n_features=n_features)
    order = order.to(device, torch.int64)
    if order.ndim == 2 and not _are_permutations(order):
        raise InputError(
            f"expected every row of order to be a permutation of 0, ..., {n_features - 1}, got one with repeated or "
            "missing entries; rank the features of each episode, for instance importance.argsort(-1, descending=True)"
        )
    return order, sizes


def _are_permutations(order: Tensor) -> bool:
    if int(order.min()) < 0 or int(order.max()) >= order.shape[1]:
        return False
    seen = torch.zeros(order.shape, dtype=torch.bool, device=order.device)
    return bool(seen.scatter_(1, order, True).all())


def episode_masks(mask: Tensor | None, *, n_episodes: int, n_features: int, like: Tensor) -> Tensor:
    """Return `mask` as ``(n_episodes or 1, n_masks, n_features)`` in the dtype of `like`; None is one mask of ones."""
    if mask is None:
        return like.new_ones(1, 1, n_features)
    allowed = {1: (n_features,), 2: (n_episodes, n_features), 3: (*mask.shape[:1], n_episodes, n_features)}
    if tuple(mask.shape) != allowed.get(mask.ndim) or mask.numel() == 0:
        raise InputError(
            f"expected mask of shape ({n_features},), ({n_episodes}, {n_features}) or (n_masks, {n_episodes}, "
            f"{n_features}), got {tuple(mask.shape)}; pass one weight a feature, for all episodes or for each"
        )
    mask = mask.to(like)
    largest = torch.maximum(mask.amax(-1), -mask.amin(-1)).square()  # NaN and infinity pass through
    if not torch.isfinite(largest).all():
        raise InputError(
            f"expected weights in mask that are finite, and so their squares in {like.dtype}, got a square of "
            f"{largest[~torch.isfinite(largest)][0].item()}; scale each mask to a largest weight of 1"
        )
    if not largest.all():
        raise InputError(
            f"expected a weight other than 0 in every mask, got {int((largest == 0).sum())} of {largest.numel()} that "
            "are 0 everywhere, under which all rows are equal; drop these episodes or use another kind of mask"
        )
    return mask[(None,) * (3 - mask.ndim)].transpose(0, 1)


def episode_prototypes(prototypes: Tensor | None, X: Tensor, episodes: Episodes) -> Tensor:
    """Return `prototypes` (n_episodes, n_way, n_features) like X, or without them the means of the supports."""
    if prototypes is None:
        return row_means(X, episodes.support)
    expected = (len(episodes), episodes.n_way, X.shape[1])
    if tuple(prototypes.shape) != expected or not torch.isfinite(prototypes).all():
        came = "NaN or infinity in them" if tuple(prototypes.shape) == expected else tuple(prototypes.shape)
        raise InputError(
            f"expected finite prototypes of shape {expected}, got {came}; pass one mean a class of every episode"
        )
    return prototypes.to(X)


def row_means(X: Tensor, rows: Tensor) -> Tensor:
    """Return the means of the rows ``rows (..., k)`` of X, ``(..., n_features)``, without a copy of those rows."""
    bags = rows.reshape(-1, rows.shape[-1]).to(X.device)
    means = torch.nn.functional.embedding_bag(bags, X, mode="mean")
    return means.reshape(*rows.shape[:-1], X.shape[1])


def check_shots(n_shot: float) -> float:
    """Return `n_shot` as a float; refuse one below 1."""
    if not n_shot >= 1:
        raise InputError(f"expected n_shot of at least 1, got {n_shot}; pass math.inf for known prototypes")
    return float(n_shot)
