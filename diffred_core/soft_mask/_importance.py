"""The importance of every dimension from class statistics, for one task or for thousands at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Literal, get_args

import torch
from torch import Tensor

from diffred_core.errors import InputError, near_names
from diffred_core.few_shot.rows import safe_ratio
from diffred_core.soft_mask._statistics import ClassStatistics

ImportanceKind = Literal["mean_pair", "max_pair", "min_pair", "fisher", "rank_mean"]
_CHUNK_VALUES = 2**18  # of one class statistic held at once: the passes over pairs then stay in the cache


@torch.no_grad()
def importance(statistics: ClassStatistics, *, kind: ImportanceKind = "mean_pair", shrinkage: float = 0.0) -> Tensor:
    """Return how well each dimension separates the classes, ``(..., n_features)``, at least 0.

    For a pair of classes ``r_i(a, b) = 2 |mean_ai - mean_bi| / (spread_ai + spread_bi)`` (Luo et al. 2022, oracle of
    their released code; Luo et al. 2023, eq. 1). How the paper goes on to more than two classes is not known; here:

    ==============  ====================================================================================
    kind            over the pairs
    ==============  ====================================================================================
    ``mean_pair``   mean of r
    ``max_pair``    largest r
    ``min_pair``    smallest r
    ``rank_mean``   mean rank of r among the dimensions, as a share of them (0 where r is 0)
    ``fisher``      none: between-class over within-class variance, the F statistic
    ==============  ====================================================================================

    Multiplying a feature by a constant leaves its importance unchanged. Differences over no spread count 1e12.

    Parameters
    ----------
    statistics : ClassStatistics
        ``class_statistics(X, y)``, ``episode_statistics(...)`` or ``oracle_statistics(...)``.
    kind : {"mean_pair", "max_pair", "min_pair", "fisher", "rank_mean"}
    shrinkage : float
        Share l of the classes' mean variance in ``(1 - l) spread_c^2 + l mean_c(spread_c^2)``, from 0 to 1: steadies
        spreads of few rows.

    Raises
    ------
    InputError
        Unknown `kind`, a `shrinkage` outside [0, 1], fewer than two classes.
    """
    known = get_args(ImportanceKind)
    if kind not in known:
        raise InputError(f"kind: expected one of {', '.join(known)}, got {kind!r}{near_names(str(kind), known)}")
    if not 0 <= shrinkage <= 1:
        raise InputError(f"shrinkage: expected a number in [0, 1], got {shrinkage}; pass 0 for each class's own spread")
    *lead, n_classes, n_features = statistics.mean.shape
    if n_classes < 2:
        raise InputError(f"statistics: expected at least two classes, got {n_classes}; a lone class has no difference")
    mean, spread = (value.reshape(-1, n_classes, n_features) for value in (statistics.mean, statistics.spread))
    count, result = statistics.count.reshape(-1, n_classes), mean.new_empty(len(mean), n_features)
    step = max(1, _CHUNK_VALUES // (n_classes * n_features))
    for start in range(0, len(mean), step):
        at = slice(start, start + step)
        steady = _shrunk(spread[at], shrinkage)
        result[at] = _fisher(mean[at], steady, count[at]) if kind == "fisher" else _over_pairs(mean[at], steady, kind)
    return result.reshape(*lead, n_features)


def _shrunk(spread: Tensor, shrinkage: float) -> Tensor:
    if not shrinkage:
        return spread
    variance = spread.square()
    return ((1 - shrinkage) * variance + shrinkage * variance.mean(-2, keepdim=True)).sqrt()


def _fisher(mean: Tensor, spread: Tensor, count: Tensor) -> Tensor:
    weight, total = count[..., None], count.sum(-1, keepdim=True)
    centre = (weight * mean).sum(-2, keepdim=True) / total[..., None]
    within = (spread.square() * (weight - 1)).sum(-2)
    # mean squares between over mean squares within
    freedom = (total - mean.shape[-2]) / (mean.shape[-2] - 1)
    return safe_ratio((weight * (mean - centre).square()).sum(-2) * freedom, within)


def _over_pairs(mean: Tensor, spread: Tensor, kind: ImportanceKind) -> Tensor:
    n_classes, pairs = mean.shape[-2], _pair_ratios(mean, spread)
    if kind == "mean_pair":
        return reduce(torch.add, (ratio.sum(-2) for ratio in pairs)).div_(n_classes * (n_classes - 1) / 2)
    if kind == "rank_mean":
        ranks = (_shares_below(ratio).sum(-2) for ratio in pairs)
        return reduce(torch.add, ranks).div_(n_classes * (n_classes - 1) / 2)
    extreme = torch.amax if kind == "max_pair" else torch.amin
    return extreme(torch.stack([extreme(ratio, -2) for ratio in pairs], -2), -2)


def _pair_ratios(mean: Tensor, spread: Tensor) -> Iterator[Tensor]:
    """Yield r of class a with every later class, ``(m, n_classes - 1 - a, n_features)``, for a = 0, 1, ..."""
    for a in range(mean.shape[-2] - 1):
        gap = (mean[..., a + 1 :, :] - mean[..., a : a + 1, :]).abs_().mul_(2)
        yield safe_ratio(gap, spread[..., a + 1 :, :] + spread[..., a : a + 1, :])


def _shares_below(ratio: Tensor) -> Tensor:
    """Return the rank of every dimension from 1 as a share of them, equal ones with the least of theirs; 0 where 0."""
    ordered, at = ratio.sort(-1)
    rank = torch.arange(1, ratio.shape[-1] + 1, device=ratio.device).expand(ratio.shape).clone()
    rank[..., 1:][ordered[..., 1:] == ordered[..., :-1]] = 0
    rank = rank.cummax(-1).values.masked_fill_(ordered == 0, 0)
    return torch.empty_like(ratio).scatter_(-1, at, rank.to(ratio) / ratio.shape[-1])
