"""Linear heads on the supports of every episode, at every number of kept features, for one or many masks.

A regularised linear head on a few supports lies in their span, so all it needs of the features are the inner products
of the supports with the supports and the queries: two Gram matrices, which grow chunk by chunk as running sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import check_positive
from diffred_core.errors import InputError, near_names
from diffred_core.few_shot._episodes import Episodes
from diffred_core.few_shot._logistic import logistic_coefficients
from diffred_core.few_shot._walk import Walk, shared_hits
from diffred_core.linear_probe.factor import ridge_factor

Head = Literal["ridge", "logistic"]
Coefficients = Callable[[Tensor, int, float], tuple[Tensor, Tensor]]
DEFAULT_MEMORY_BYTES = 2**28


@torch.no_grad()
def linear_head_curve(
    X: Tensor | ArrayLike,
    episodes: Episodes,
    order: Tensor,
    sizes: Sequence[int],
    *,
    head: Head = "ridge",
    l2: float,
    mask: Tensor | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Tensor:
    """Return the accuracy of a linear head on the first k features of an order, for every k in `sizes`.

    Both heads have a free intercept. ``ridge`` minimises ``1/n |X W - Y|^2 + l2 |W|^2`` for one-hot Y over the
    n = n_way * n_shot supports, as `linear_probe.fit_ridge`; ``logistic`` minimises mean cross-entropy
    ``+ l2/2 |W|^2``, as `linear_probe.fit_logistic` (scikit-learn's ``C`` is ``1 / (n l2)``; ``2 / (n l2)`` for two
    classes). All of it is float64.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
    episodes : Episodes
    order : LongTensor (n_features,) or (n_episodes, n_features)
    sizes : (n_sizes,)
        Numbers of kept features, from 1 to n_features, in any order.
    head : {"ridge", "logistic"}
    l2 : float
        Above 0, the same at every size.
    mask : Tensor (n_features,), (n_episodes, n_features) or (n_masks, n_episodes, n_features), optional
        Weights that multiply supports and queries.
    memory_bytes : int
        Bound on the rows and Gram matrices of a batch of episodes.

    Returns
    -------
    Tensor (n_episodes, n_sizes), or (n_masks, n_episodes, n_sizes), of float64
        A tie counts as one over the number of classes in it.

    Raises
    ------
    InputError
        As `centroid_curve`; an unknown `head`, an `l2` not above 0, or one so small that a fit does not converge.
    """
    heads: dict[str, Coefficients] = {
        "ridge": ridge_coefficients,
        "logistic": logistic_coefficients,
    }
    if head not in get_args(Head):
        raise InputError(f"head: expected one of {', '.join(heads)}, got {head!r}{near_names(str(head), heads)}")
    check_positive(l2, name="l2")
    check_positive(memory_bytes, name="memory_bytes")
    walk = Walk.of(torch.as_tensor(X).double(), episodes, order, sizes, mask)
    return walk.arranged(_Heads(walk, episodes, heads[head], l2).curve(memory_bytes))


@dataclass(frozen=True, eq=False)
class _Heads:
    walk: Walk
    episodes: Episodes
    coefficients: Coefficients
    l2: float

    def curve(self, memory_bytes: int) -> Tensor:
        """Return accuracies (n_masks, n_episodes, n_stops)."""
        walk, n_way, n_query = self.walk, self.episodes.n_way, self.episodes.n_query
        accuracy = walk.empty(len(self.episodes))
        n_support = n_way * self.episodes.n_shot
        n_rows = n_support + n_way * n_query
        values = n_rows * walk.order.shape[1]
        values += n_support * walk.n_masks * (walk.order.shape[1] + 2 * n_rows * len(walk.stops))
        limits = {"n_rows": n_rows, "values_an_episode": values, "memory_bytes": memory_bytes}
        for at, room in walk.batches(len(self.episodes), **limits):
            products = self._products(at, room)  # (n_stops, m, n_masks, n_support, n_rows)
            gram, queries = products[..., :n_support], products[..., n_support:]
            coefficients, bias = self.coefficients(gram, n_way, self.l2)
            scores = coefficients.mT @ queries + bias[..., None]
            accuracy[:, at] = shared_hits(scores, n_query).permute(2, 1, 0)
        return accuracy

    def _products(self, at: slice, room: Tensor) -> Tensor:
        """Return inner products of centred supports with supports and queries at every size."""
        walk, episodes = self.walk, self.episodes
        index = torch.cat([episodes.support[at].flatten(1), episodes.query[at].flatten(1)], 1)
        rows, n_support = walk.rows(index, at, out=room), episodes.n_way * episodes.n_shot
        rows -= rows[:, :n_support].mean(1, keepdim=True)
        left = walk.squares(at)[:, :, None] * rows[:, None, :n_support]
        products: Tensor = walk.products(left.flatten(1, 2), rows).unflatten(2, left.shape[1:3])
        return products


def ridge_coefficients(gram: Tensor, n_way: int, l2: float) -> tuple[Tensor, Tensor]:
    """Return coefficients ``(..., n_support, n_way)`` of the centred supports, and intercepts ``(..., n_way)``.

    Parameters
    ----------
    gram : Tensor (..., n_support, n_support)
        Of the centred supports, class by class.
    n_way : int
    l2 : float
    """
    n = gram.shape[-1]
    targets = torch.eye(n_way, dtype=gram.dtype, device=gram.device).repeat_interleave(n // n_way, 0) - 1 / n_way
    lower = ridge_factor(gram.clone(), gram.new_full(gram.shape[:-2], n * l2))
    return torch.cholesky_solve(targets.expand(*gram.shape[:-1], n_way), lower), gram.new_full((n_way,), 1 / n_way)
