"""How well every dimension separates the classes, and masks that weigh it by that: one task or thousands at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Literal, TypeVar, get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core import subsets
from diffred_core.checks import as_features, check_choice
from diffred_core.errors import InputError
from diffred_core.few_shot import optimal_mask
from diffred_core.few_shot.rows import check_shots, safe_ratio
from diffred_core.soft_mask._statistics import ClassStatistics

_Value = TypeVar("_Value")
ImportanceKind = Literal["mean_pair", "max_pair", "min_pair", "fisher", "rank_mean"]
MaskKind = Literal["importance", "sqrt", "scaled", "inverse_spread", "mmc", "theory", "hard"]
_CHUNK_VALUES = 2**18  # of one class statistic held at once: the passes over pairs then stay in the cache
_SHIFT = 1e-5  # of the released code of the simple transformation


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
    check_choice(kind, get_args(ImportanceKind), "kind: expected one of {}")
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


@torch.no_grad()
def mask(
    importance: Tensor,
    *,
    kind: MaskKind = "importance",
    spread: Tensor | None = None,
    magnitude: Tensor | None = None,
    n_shot: int | None = None,
    fraction: float | None = None,
    debiased: bool = False,
    floor: float = 0.0,
    clamp: float | None = None,
) -> Tensor:
    """Return one weight for each dimension, ``(..., n_features)``, scaled so that the largest of a task is 1.

    ==================  ======================================================  ====================
    kind                weight                                                  needs
    ==================  ======================================================  ====================
    ``importance``      ``R``: the literal reading of the abstract              -
    ``sqrt``            ``R ** 0.5``                                            -
    ``scaled``          ``R / spread``: the one-shot optimum at small ``R``     `spread`
    ``inverse_spread``  ``1 / spread`` alone: the control                       `spread`
    ``mmc``             ``R / mean |z|``: the group's own oracle (2022)         `magnitude`
    ``theory``          ``sqrt(R^2 / (R^2 (1 + 1/n) + (2n + 1)/n^2)) / spread``  `spread`, `n_shot`
    ``hard``            1 for the ``ceil(fraction * d)`` largest ``R``, else 0  `fraction`
    ==================  ======================================================  ====================

    Parameters
    ----------
    importance : Tensor (..., n_features)
        Of :func:`diffred_core.soft_mask.importance`.
    kind : str
        A row of the table; ``theory`` is `few_shot.optimal_mask` (our derivation, not in the paper).
    spread : Tensor (..., n_classes, n_features) or (..., n_features), optional
        Within-class standard deviation; that of several classes is averaged over the classes.
    magnitude : Tensor (..., n_features), optional
    n_shot : int, optional
    fraction : float, optional
        In (0, 1].
    debiased : bool
        For ``theory``: take ``max(R^2 - 2/n, 0)`` for ``R^2``. A difference of two means of n rows has a variance of
        ``2 spread^2 / n`` on top of the true one, and at one shot that noise is most of it.
    floor : float
        For kinds that divide by the spread: one below this share of the median (of the features of a task that have
        a spread at all) counts as that much. Without it a few features that are nearly constant outweigh all others.
    clamp : float, optional
        For ``mmc`` of rows of length 1: with R of length 1 as well, a weight ``R / mean |z|`` above it is 1 instead (50
        in the released code, from appendix F of Luo et al. 2022: "sometimes this helps").

    Raises
    ------
    InputError
        Unknown `kind`; a companion that is missing, misshapen, negative or not finite; an importance (or, debiased,
        what is left of it) that is negative, not finite or 0 everywhere in a task; a floor or clamp out of range.
    """
    check_choice(kind, get_args(MaskKind), "kind: expected one of {}")
    R = _checked(importance)
    if debiased:
        R = _debiased(R, kind, n_shot)
    if clamp is not None:
        weight = _clamped(R, kind, magnitude, clamp)
    else:
        spread = spread if spread is None else _floored(_of_all_classes(spread, R), floor)
        weight = _raw_mask(R, kind, spread=spread, magnitude=magnitude, n_shot=n_shot, fraction=fraction)
    return weight / weight.amax(-1, keepdim=True)


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
    lifted, lifted_offset = (torch.log1p(1 / value).pow(-power) for value in (size, offset))
    return X.sign() * (lifted - lifted_offset)


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


def _checked(R: Tensor, name: str = "importance") -> Tensor:
    largest, least = R.amax(-1), R.amin(-1)  # NaN passes through
    bad = ~(torch.isfinite(largest) & (largest > 0) & (least >= 0))
    if bad.any():
        raise InputError(
            f"{name}: expected finite values of at least 0 and one above 0, got values from {least[bad][0].item():.3g} "
            f"to {largest[bad][0].item():.3g} in {int(bad.sum())} of {bad.numel()} tasks; drop constant features or "
            "use other rows"
        )
    return R


def _debiased(R: Tensor, kind: str, n_shot: int | None) -> Tensor:
    if kind != "theory":
        raise InputError(f"debiased: expected kind 'theory' with it, got {kind!r}; leave debiased out")
    n = check_shots(_needed("n_shot", n_shot, kind))
    return _checked((R.square() - 2 / n).clamp_min(0).sqrt(), "importance without bias")


def _clamped(R: Tensor, kind: str, magnitude: Tensor | None, clamp: float) -> Tensor:
    if kind != "mmc" or not clamp > 0:
        raise InputError(
            f"clamp: expected a number above 0 and kind 'mmc' with it, got {clamp} and {kind!r}; leave it out"
        )
    weight = safe_ratio(torch.nn.functional.normalize(R, dim=-1), _companion("magnitude", magnitude, kind, R))
    return torch.where(weight > clamp, 1.0, weight)


def _of_all_classes(spread: Tensor, R: Tensor) -> Tensor:
    return spread.mean(-2) if spread.ndim == R.ndim + 1 else spread


def _floored(spread: Tensor, floor: float) -> Tensor:
    """Return the spreads, raised to `floor` times their median where below; 0 is a dead feature and stays."""
    if not 0 <= floor < float("inf"):
        raise InputError(f"floor: expected a share of the median spread of at least 0, got {floor}; pass 0 for none")
    if not floor:
        return spread
    alive = spread > 0
    median = spread.masked_fill(~alive, torch.nan).nanmedian(-1, keepdim=True).values
    return torch.where(alive, torch.maximum(spread, floor * median), spread)


def _raw_mask(
    R: Tensor,
    kind: str,
    *,
    spread: Tensor | None,
    magnitude: Tensor | None,
    n_shot: int | None,
    fraction: float | None,
) -> Tensor:
    if kind == "importance":
        return R
    if kind == "sqrt":
        return R.sqrt()
    if kind == "mmc":
        return safe_ratio(R, _companion("magnitude", magnitude, kind, R))
    if kind == "hard":
        return _top(R, _needed("fraction", fraction, kind))
    sigma = _companion("spread", spread, kind, R)
    if kind == "scaled":
        return safe_ratio(R, sigma)
    if kind == "inverse_spread":
        # no spread is no noise to weigh down, and a dead dimension: it gets nothing rather than everything
        return _checked(torch.where(sigma > 0, 1 / sigma, 0.0), "inverse spread")
    return optimal_mask(R, sigma, n_shot=_needed("n_shot", n_shot, kind))


def _companion(name: str, value: Tensor | None, kind: str, R: Tensor) -> Tensor:
    value = _needed(name, value, kind)
    if value.shape != R.shape:
        raise InputError(
            f"{name}: expected the shape of the importance, {tuple(R.shape)}, got {tuple(value.shape)}; "
            f"pass the {name} of the same statistics"
        )
    if not (torch.isfinite(value) & (value >= 0)).all():
        raise InputError(
            f"{name}: expected finite values of at least 0, got values from {value.min().item():.3g} to "
            f"{value.max().item():.3g}; pass the {name} of the same statistics"
        )
    return value.to(R)


def _needed(name: str, value: _Value | None, kind: str) -> _Value:
    if value is None:
        raise InputError(f"{name}: mask kind {kind!r} needs it, got None; pass {name}=...")
    return value


def _top(R: Tensor, fraction: float) -> Tensor:
    if not 0 < fraction <= 1:
        raise InputError(f"fraction: expected a number in (0, 1], got {fraction}; pass 1.0 to keep all features")
    size = subsets.top_size(R.shape[-1], fraction)
    kept = R.argsort(dim=-1, descending=True, stable=True)[..., :size]
    return torch.zeros_like(R).scatter_(-1, kept, 1.0)
