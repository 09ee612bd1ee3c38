"""The one pass behind every few-shot curve: products over the first k features for every size k, as running sums.

Cut at the sizes, a product over the first k features of an order is a sum over chunks. So an episode is gathered once,
with its features in order, and multiplied chunk by chunk: the whole curve costs what its largest size costs. The
weights of a mask go into one factor only, so that all masks of an order share the gather and one wide product.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.few_shot._episodes import Episodes
from diffred_core.few_shot.rows import episode_masks, episode_orders, features_of


@dataclass(frozen=True, eq=False)
class Walk:
    """Features and masks of the episodes, and the order and sizes in which to walk through them.

    Attributes
    ----------
    X : Tensor (n_samples, n_features)
    order : LongTensor (n_episodes, k_max), or (1, k_max) where all episodes share one order
        The first features of every order, as many as the largest size needs.
    masks : Tensor (n_episodes or 1, n_masks, n_features)
    sizes : list of int
        As the caller gave them.
    shape : tuple of int
        ``(n_masks,)`` if the caller gave several masks for each episode, else ``()``.
    """

    X: Tensor
    order: Tensor
    masks: Tensor
    sizes: list[int]
    shape: tuple[int, ...]

    @classmethod
    def of(
        cls, X: Tensor | ArrayLike, episodes: Episodes, order: Tensor, sizes: Sequence[int], mask: Tensor | None
    ) -> Walk:
        """Check everything against the episodes and return the walk."""
        X = features_of(X, episodes)
        shapes = {"n_episodes": len(episodes), "n_features": X.shape[1]}
        order, sizes = episode_orders(order, sizes, **shapes, device=X.device)
        masks = episode_masks(mask, **shapes, like=X)
        order = order.reshape(-1, X.shape[1])[:, : max(sizes)].contiguous()
        return cls(X, order, masks, sizes, () if mask is None else tuple(mask.shape[:-2]))

    @cached_property
    def stops(self) -> list[int]:
        """Sizes in rising order, each once."""
        return sorted(set(self.sizes))

    @property
    def n_masks(self) -> int:
        """Masks of an episode, 1 if there is none."""
        return self.masks.shape[1]

    def empty(self, n_episodes: int) -> Tensor:
        """Return room for the accuracies, ``(n_masks, n_episodes, n_stops)``."""
        return self.X.new_empty(self.n_masks, n_episodes, len(self.stops), dtype=torch.float64)

    def batches(
        self, n_episodes: int, *, n_rows: int, values_an_episode: int, memory_bytes: int
    ) -> Iterator[tuple[slice, Tensor]]:
        """Yield slices of episodes, as many at a time as the budget holds, and room for `n_rows` rows of each."""
        step = min(n_episodes, max(1, memory_bytes // (values_an_episode * self.X.element_size())))
        room = self.X.new_empty(step, n_rows, self.order.shape[1])
        for start in range(0, n_episodes, step):
            yield slice(start, min(start + step, n_episodes)), room

    def rows(self, index: Tensor, at: slice, *, out: Tensor) -> Tensor:
        """Write the rows ``index (m, r)`` of the episodes `at`, features in order, into ``out (>= m, >= r, k_max)``.

        Returns ``out[:m]``, whose further rows are left for the caller to write. One buffer for all batches, because a
        fresh one costs as much as filling it.
        """
        order = self.order[at] if len(self.order) > 1 else self.order
        (m, r), k = index.shape, order.shape[1]
        index, order = index.to(self.X.device), order.expand(m, k)
        if self.X.is_cuda:
            out[:m, :r] = self.X[index[:, :, None], order[:, None, :]]
            return out[:m]
        # an element-wise gather of the whole batch takes several times as long as one of each episode, in the cache
        for one, rows, features in zip(out, index, order, strict=False):
            torch.gather(self.X.index_select(0, rows), 1, features.expand(r, k), out=one[:r])
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
        """Return ``left[..., :stop] @ right[..., :stop]'`` for every stop, ``(n_stops, m, l, r)``.

        Parameters
        ----------
        left : Tensor (m, l, k_max)
        right : Tensor (m, r, k_max)
        """
        found = left.new_empty(len(self.stops), len(left), left.shape[1], right.shape[1])
        torch.bmm(left[..., : self.stops[0]], right[..., : self.stops[0]].mT, out=found[0])
        for i, (start, stop) in enumerate(pairwise(self.stops)):
            torch.baddbmm(found[i], left[..., start:stop], right[..., start:stop].mT, out=found[i + 1])
        return found

    def arranged(self, accuracy: Tensor) -> Tensor:
        """Return ``accuracy (n_masks, n_episodes, n_stops)`` as the caller asked: their sizes, their masks."""
        at = [self.stops.index(size) for size in self.sizes]
        return accuracy[..., at].reshape(*self.shape, accuracy.shape[1], len(at))


def shared_hits(scores: Tensor, n_query: int) -> Tensor:
    """Return the accuracy of the largest score, ``(...)``, for ``scores (..., n_way, n_way * n_query)``.

    The queries stand class by class. A tie counts as one over the number of classes in it: what breaking it at random
    gives on average, and so 1/n_way exactly where the features kept so far are all 0.
    """
    n_way = scores.shape[-2]
    best = scores == scores.amax(-2, keepdim=True)
    own: Tensor = best.unflatten(-1, (n_way, n_query)).diagonal(dim1=-3, dim2=-2).mT  # (..., n_way, n_query)
    tied: Tensor = best.sum(-2, dtype=torch.int32).unflatten(-1, (n_way, n_query))
    return own.double().div(tied).mean((-2, -1))
