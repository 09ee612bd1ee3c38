"""Seeded Gaussian classes, and Monte-Carlo errors to hold the formulas of the theory against."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.few_shot._theory import error_given_prototypes

_BLOCK_VALUES = 2**20  # numbers a draw; part of what a seed means, so not an option


def gaussian_problem(
    n_features: int, n_strong: int, *, seed: int, strong: float = 1.0, weak: float = 0.15
) -> tuple[Tensor, Tensor]:
    """Return gap and spread of two classes that few features tell apart and the rest hardly do.

    Parameters
    ----------
    n_features, n_strong : int
        All features, and how many of them are strong (these come first).
    seed : int
    strong, weak : float
        Scales of ``gap / spread``: strong features have 0.8 to 1.6 times `strong`, weak ones 0 to 2 times `weak`. The
        spreads run from 1/2 to 2, evenly on a log scale and independently of the gaps.

    Returns
    -------
    gap, spread : Tensor (n_features,) of float64

    Raises
    ------
    InputError
        `n_strong` below 1 or above `n_features`.
    """
    if not 1 <= n_strong <= n_features:
        raise InputError(f"expected n_strong from 1 to n_features={n_features}, got {n_strong}; lower n_strong")
    draw = torch.Generator().manual_seed(seed)
    uniform, position = torch.rand(2, n_features, generator=draw, dtype=torch.float64)
    ratio = 2 * weak * uniform
    ratio[:n_strong] = strong * (0.8 + 0.8 * uniform[:n_strong])
    spread = 4.0 ** (position - 0.5)
    return ratio * spread, spread


def gaussian_classes(mean: Tensor, spread: Tensor, *, n_rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw `n_rows` rows of each class.

    Parameters
    ----------
    mean : Tensor (n_classes, n_features)
    spread : Tensor (n_features,) or (n_classes, n_features)
    n_rows : int
    seed : int

    Returns
    -------
    X : Tensor (n_classes * n_rows, n_features), in the dtype of `mean`
    y : Tensor (n_classes * n_rows,) of int64, class by class
    """
    draw = torch.Generator().manual_seed(seed)
    n_classes, n_features = mean.shape
    noise = torch.randn(n_classes, n_rows, n_features, generator=draw, dtype=mean.dtype)
    X = mean[:, None] + spread.expand(n_classes, -1)[:, None] * noise
    return X.flatten(0, 1), torch.arange(n_classes).repeat_interleave(n_rows)


def simulated_errors(
    gap: Tensor, spread: Tensor, *, n_shot: int, n_trials: int, seed: int, masks: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return how often the other prototype is nearer, and the standard error: prototypes and query drawn every time.

    Parameters
    ----------
    gap, spread : Tensor (n_features,)
    n_shot, n_trials, seed : int
    masks : Tensor (n_masks, n_features), optional
        Weights to compare on the same draws, subsets among them (0 and 1).

    Returns
    -------
    error, standard_error : Tensor (), or (n_masks,)
    """
    hits = []
    for own, other, query in _draws(gap, spread, n_shot, n_trials, seed):
        statistic = ((own - other) * (query - (own + other) / 2)) @ _squares(gap, masks).T
        hits.append((statistic < 0).double() + (statistic == 0).double() / 2)
    return _mean_and_error(torch.cat(hits), masks)


def averaged_errors(
    gap: Tensor, spread: Tensor, *, n_shot: int, n_trials: int, seed: int, masks: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mean of the exact error over drawn prototypes: `simulated_errors` with the query integrated out.

    The same parameters and returns; the same limit with a smaller standard error, as only the prototypes are drawn.
    """
    weights, errors = _squares(gap, masks).sqrt(), []
    for own, other, _ in _draws(gap, spread, n_shot, n_trials, seed):
        parts = [error_given_prototypes(w * gap, w * spread, w * own, w * other) for w in weights]
        errors.append(torch.stack(parts, 1))
    return _mean_and_error(torch.cat(errors), masks)


def _draws(
    gap: Tensor, spread: Tensor, n_shot: int, n_trials: int, seed: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield prototypes of class a (at `gap`) and b (at 0) and a query of a, ``(block, n_features)`` each, float64."""
    for name, value in (("n_shot", n_shot), ("n_trials", n_trials)):
        if value < 1:
            raise InputError(f"expected {name} of at least 1, got {value}; raise {name}")
    draw = torch.Generator().manual_seed(seed)
    block = max(1, _BLOCK_VALUES // (3 * len(gap)))
    for start in range(0, n_trials, block):
        shape = 3, min(block, n_trials - start), len(gap)
        own, other, query = torch.randn(shape, generator=draw, dtype=torch.float64) * spread
        yield gap + own / math.sqrt(n_shot), other / math.sqrt(n_shot), gap + query


def _squares(gap: Tensor, masks: Tensor | None) -> Tensor:
    return torch.ones(1, len(gap), dtype=torch.float64) if masks is None else masks.double().square()


def _mean_and_error(values: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor]:
    shape = () if masks is None else (len(masks),)
    return values.mean(0).reshape(shape), (values.std(0, correction=0) / math.sqrt(len(values))).reshape(shape)
