"""The one pass behind every few-shot curve: products over the first k features for every size k, as running sums.

Cut at the sizes, a product over the first k features of an order is a sum over chunks. So an episode is gathered once,
with its features in order, and multiplied chunk by chunk: the whole curve costs what its largest size costs. The
weights of a mask go into one factor only, so that all masks of an order share the gather and one wide product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import check_positive
from diffred_core.errors import InputError
from diffred_core.few_shot._episodes import Episodes
from diffred_core.few_shot.rows import features_of
from diffred_core.subsets import check_order

_RANK = "rank the features of each episode, for instance importance.argsort(-1, descending=True)"


@dataclass(frozen=True, eq=False)
class Walk:
    """Features and masks of the episodes, and the order and sizes in which to walk through them."""

    X: Tensor  # (n_samples, n_features)
    episodes: Episodes
    order: Tensor  # (n_episodes, k_max), or (1, k_max) if all share one; k_max: what the largest size needs
    masks: Tensor  # (n_episodes or 1, n_masks, n_features)
    sizes: list[int]  # as the caller gave them
    shape: tuple[int, ...]  # (n_masks,) if the caller gave several masks for each episode, else ()

    @classmethod
    def of(
        cls, X: Tensor | ArrayLike, episodes: Episodes, order: Tensor, sizes: Sequence[int], mask: Tensor | None
    ) -> Walk:
        """Check everything against the episodes and return the walk."""
        X = features_of(X, episodes)
        shapes = {"n_episodes": len(episodes), "n_features": X.shape[1]}
        order, sizes = _orders(order, sizes, **shapes, device=X.device)
        masks = _masks(mask, **shapes, like=X)
        order = order.reshape(-1, X.shape[1])[:, : max(sizes)].contiguous()
        shape = () if mask is None else tuple(mask.shape[:-2])
        return cls(X=X, episodes=episodes, order=order, masks=masks, sizes=sizes, shape=shape)

    @cached_property
    def stops(self) -> list[int]:
        """Sizes in rising order, each once."""
        return sorted(set(self.sizes))

    @property
    def n_masks(self) -> int:
        """Masks of an episode, 1 if there is none."""
        return self.masks.shape[1]

    def curve(
        self, scores: Callable[[slice, Tensor], Tensor], *, n_rows: int, values_an_episode: int, memory_bytes: int
    ) -> Tensor:
        """Return accuracies ``(n_episodes, n_sizes)`` or ``(n_masks, n_episodes, n_sizes)``, in the caller's sizes.

        Parameters
        ----------
        scores : function of a slice of episodes and room for `n_rows` rows of each of them
            Returns ``(n_stops, m, n_masks, n_way, n_way * n_query)``. One room for all batches, because a fresh one
            costs as much as filling it.
        n_rows, values_an_episode, memory_bytes : int
            Rows and values that an episode needs, and the budget: a batch has as many episodes as it holds.
        """
        check_positive(memory_bytes, name="memory_bytes")
        n_episodes = len(self.episodes)
        accuracy = self.X.new_empty(self.n_masks, n_episodes, len(self.stops), dtype=torch.float64)
        step = min(n_episodes, max(1, memory_bytes // (values_an_episode * self.X.element_size())))
        room = self.X.new_empty(step, n_rows, self.order.shape[1])
        for start in range(0, n_episodes, step):
            at = slice(start, min(start + step, n_episodes))
            accuracy[:, at] = _shared_hits(scores(at, room), self.episodes.n_query).permute(2, 1, 0)
        return accuracy[..., [self.stops.index(size) for size in self.sizes]].reshape(*self.shape, n_episodes, -1)

    def rows(self, index: Tensor, at: slice, *, out: Tensor) -> Tensor:
        """Write the rows ``index (m, r)`` of the episodes `at`, features in order, into ``out (>= m, >= r, k_max)``.

        Returns ``out[:m]``, whose further rows are left for the caller to write.
        """
        order = self.order[at] if len(self.order) > 1 else self.order
        (m, r), k = index.shape, order.shape[1]
        index, order = index.to(self.X.device), order.expand(m, k)
        if self.X.is_cuda:
            out[:m, :r] = self.X[index[:, :, None], order[:, None, :]]
            return out[:m]
        # an element-wise gather of the whole batch takes several times as long as one of each episode, in the cache
        for room, rows, features in zip(out, index, order, strict=False):
            torch.gather(self.X.index_select(0, rows), 1, features.expand(r, k), out=room[:r])
        return out[:m]

    def ordered(self, values: Tensor, at: slice) -> Tensor:
        """Return ``values (n_episodes or 1, r, n_features)`` of the episodes `at`, features in order."""
        values = values[at] if len(values) > 1 else values
        if len(self.order) == 1:
            return values.index_select(2, self.order[0])
        order = self.order[at]
        shape = len(order), values.shape[1], -1
        return values.expand(shape).gather(2, order[:, None].expand(shape))

    def squares(self, at: slice) -> Tensor:
        """Return the squared weights of the episodes `at`, features in order: products need no others."""
        return self.ordered(self.masks, at).square()

    def products(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``left[..., :stop] @ right[..., :stop]'`` for every stop, by episode, ``(n_stops, m, l, r)``."""
        sums = left.new_empty(len(self.stops), len(left), left.shape[1], right.shape[1])
        torch.bmm(left[..., : self.stops[0]], right[..., : self.stops[0]].mT, out=sums[0])
        for i, (start, stop) in enumerate(pairwise(self.stops)):
            torch.baddbmm(sums[i], left[..., start:stop], right[..., start:stop].mT, out=sums[i + 1])
        return sums


def _orders(
    order: Tensor, sizes: Sequence[int], *, n_episodes: int, n_features: int, device: torch.device
) -> tuple[Tensor, list[int]]:
    """Return `order` (n_features,) or (n_episodes, n_features) on `device`, and `sizes` as plain integers."""
    if order.ndim == 2 and order.shape != (n_episodes, n_features):
        raise InputError(
            f"expected order of shape ({n_features},) or ({n_episodes}, {n_features}), one permutation for all "
            f"episodes or one each, got {tuple(order.shape)}; {_RANK}"
        )
    sizes = check_order(order[0] if order.ndim == 2 else order, sizes, n_features=n_features)
    order = order.to(device, torch.int64)
    if order.ndim == 2 and not _are_permutations(order):
        raise InputError(
            f"expected every row of order to be a permutation of 0, ..., {n_features - 1}, got one with repeated or "
            f"missing entries; {_RANK}"
        )
    return order, sizes


def _are_permutations(order: Tensor) -> bool:
    if int(order.min()) < 0 or int(order.max()) >= order.shape[1]:
        return False
    present = torch.zeros(order.shape, dtype=torch.bool, device=order.device)
    return bool(present.scatter_(1, order, True).all())


def _masks(mask: Tensor | None, *, n_episodes: int, n_features: int, like: Tensor) -> Tensor:
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


def _shared_hits(scores: Tensor, n_query: int) -> Tensor:
    """Return the accuracy of the largest score, ``(...)``, for ``scores (..., n_way, n_way * n_query)``.

    The queries stand class by class. A tie counts as one over the number of classes in it: what breaking it at random
    gives on average, and so 1/n_way exactly where the features kept so far are all 0.
    """
    n_way = scores.shape[-2]
    best = scores == scores.amax(-2, keepdim=True)
    of_class: Tensor = best.unflatten(-1, (n_way, n_query)).diagonal(dim1=-3, dim2=-2).mT  # (..., n_way, n_query)
    tied: Tensor = best.sum(-2, dtype=torch.int32).unflatten(-1, (n_way, n_query))
    return of_class.double().div(tied).mean((-2, -1))
