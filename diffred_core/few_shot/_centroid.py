"""Nearest-centroid accuracy of every episode at every number of kept features, for one or many masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import check_choice
from diffred_core.errors import InputError
from diffred_core.few_shot._episodes import Episodes
from diffred_core.few_shot._walk import Walk
from diffred_core.few_shot.rows import row_means
from diffred_core.precision import full_precision

Metric = Literal["euclidean", "cosine"]
DEFAULT_MEMORY_BYTES = {"cpu": 2**24, "cuda": 2**30}  # a CPU is fastest while a batch stays in its cache


@torch.no_grad()
def centroid_curve(
    X: Tensor | ArrayLike,
    episodes: Episodes,
    order: Tensor,
    sizes: Sequence[int],
    *,
    metric: Metric = "euclidean",
    mask: Tensor | None = None,
    prototypes: Tensor | None = None,
    memory_bytes: int | None = None,
) -> Tensor:
    """Return the accuracy of the nearest centroid on the first k features of an order, for every k in `sizes`.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        Features of the rows that the episodes index.
    episodes : Episodes
    order : LongTensor (n_features,) or (n_episodes, n_features)
        One permutation of the features for all episodes, or one for each.
    sizes : (n_sizes,)
        Numbers of kept features, from 1 to n_features, in any order.
    metric : {"euclidean", "cosine"}
        Distance to the prototypes. The cosine is that of query and prototype over the kept features; supports are
        not normalised one by one before they are averaged.
    mask : Tensor (n_features,), (n_episodes, n_features) or (n_masks, n_episodes, n_features), optional
        Weights that multiply supports and queries. Several masks share the work on an order: far cheaper than calls.
    prototypes : Tensor (n_episodes, n_way, n_features), optional
        Instead of the means of the supports; the mask multiplies them too.
    memory_bytes : int, optional
        Bound on the rows of a batch of episodes; by default what a cache (CPU) or a GPU likes.

    Returns
    -------
    Tensor (n_episodes, n_sizes), or (n_masks, n_episodes, n_sizes), of float64
        A tie counts as one over the number of classes in it, so features that are all 0 score 1/n_way.

    Raises
    ------
    InputError
        Features that are not finite or too few rows, an `order` that is no permutation, sizes out of range, a mask or
        prototypes of another shape, not finite, or (mask) 0 everywhere in an episode, an unknown `metric`.

    Notes
    -----
    With weights m, prototypes p_c and their mean u, ``-|m(z - p_c)|^2`` orders the classes like
    ``m^2 (p_c - u) . (z - (p_c + u)/2)``: a product without the cancellation of ``|z|^2 - 2 z.p + |p|^2``, and linear
    in z, so that the midpoints are further queries of the same product.
    """
    check_choice(metric, get_args(Metric), "metric: expected one of {}")
    walk = Walk.of(X, episodes, order, sizes, mask)
    memory_bytes = DEFAULT_MEMORY_BYTES[walk.X.device.type] if memory_bytes is None else memory_bytes
    # distances do not see a common shift, but rounding does; the cosine does see it
    shift = walk.X.mean(0) if metric == "euclidean" else walk.X.new_zeros(1)
    prototypes = _prototypes(prototypes, walk.X, episodes) - shift
    n_rows, n_left = episodes.n_way * (episodes.n_query + 1), episodes.n_way * walk.n_masks
    values = (n_rows + n_left + walk.n_masks) * walk.order.shape[1] + 2 * len(walk.stops) * n_rows * n_left
    scores = partial(_scores, replace(walk, X=walk.X - shift), prototypes, metric)
    with full_precision(walk.X.device):
        return walk.curve(scores, n_rows=n_rows, values_an_episode=values, memory_bytes=memory_bytes)


def _prototypes(prototypes: Tensor | None, X: Tensor, episodes: Episodes) -> Tensor:
    """Return `prototypes` (n_episodes, n_way, n_features) like X, or without them the means of the supports."""
    if prototypes is None:
        return row_means(X, episodes.support)
    expected = (len(episodes), episodes.n_way, X.shape[1])
    if tuple(prototypes.shape) != expected or not torch.isfinite(prototypes).all():
        reason = "NaN or infinity in them" if tuple(prototypes.shape) == expected else tuple(prototypes.shape)
        raise InputError(
            f"expected finite prototypes of shape {expected}, got {reason}; pass one mean a class of every episode"
        )
    return prototypes.to(X)


def _scores(walk: Walk, prototypes: Tensor, metric: Metric, at: slice, room: Tensor) -> Tensor:
    """Return scores (n_stops, m, n_masks, n_way, n_way * n_query) of the episodes `at`."""
    n_way, prototype = walk.episodes.n_way, walk.ordered(prototypes, at)
    centre = prototype.mean(1, keepdim=True) if metric == "euclidean" else prototype.new_zeros(1)
    weighted = walk.squares(at)[:, :, None] * (prototype - centre)[:, None]
    rows = walk.rows(walk.episodes.query[at].flatten(1), at, out=room)
    torch.add(prototype, centre, out=rows[:, -n_way:])
    products: Tensor = walk.products(weighted.flatten(1, 2), rows).unflatten(2, (-1, n_way))
    squares = products[..., -n_way:].diagonal(dim1=-2, dim2=-1)[..., None]
    if metric == "euclidean":
        return products[..., :-n_way].sub_(squares, alpha=0.5)
    # the length of the query is the same for all classes; a prototype without length is at a right angle to all
    return products[..., :-n_way].mul_(squares.clamp_min(0).rsqrt().nan_to_num(posinf=0.0))
