"""Nearest centroids on two Gaussian classes with independent features: what n shots do, exactly or nearly.

Class a has mean ``mu_a``, class b ``mu_b``, both have standard deviations ``spread``; ``gap = |mu_a - mu_b|``. A
prototype is the mean of `n_shot` rows. The first statement generalises theorem 5.1 of Luo et al. 2023
(arXiv 2310.03843) to any number of features; the rest is our own derivation, with explicit constants in place of the
paper's O(sqrt(log n / n)). A diagonal mask m multiplies `gap` and `spread`. Every function broadcasts over leading
dimensions and takes ``n_shot=math.inf`` for prototypes that are known. Seeded draws of such classes, with their
Monte-Carlo errors, check the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.few_shot.rows import check_shots, safe_ratio

Role = Literal["useful", "few_shot", "metric"]
_BLOCK_VALUES = 2**20  # numbers a draw; part of what a seed means, so not an option


def error_given_prototypes(mean: Tensor, spread: Tensor, own: Tensor, other: Tensor) -> Tensor:
    """Return the exact error on rows of a class whose prototype is `own`, against the prototype `other`.

    ``Phi(-(own - other) . (mean - (own + other)/2) / sqrt(sum spread^2 (own - other)^2))``: the difference of the two
    squared distances is linear in the row, hence Gaussian. Luo et al. 2023, theorem 5.1, for any number of features.

    Parameters
    ----------
    mean, spread : Tensor (..., n_features)
        True mean and standard deviations of the class.
    own, other : Tensor (..., n_features)

    Returns
    -------
    Tensor (...)
        Probability that `other` is nearer; 1/2 where the prototypes coincide.
    """
    step = own - other
    margin = (step * (mean - (own + other) / 2)).sum(-1)
    return _upper_tail(margin, (spread * step).square().sum(-1))


def statistic_moments(gap: Tensor, spread: Tensor, *, n_shot: float) -> tuple[Tensor, Tensor]:
    """Return mean and variance of ``T = (|z - p_b|^2 - |z - p_a|^2) / 2`` for z of class a, feature by feature.

    Exact, over query and prototypes: ``gap^2 / 2`` and
    ``spread^2 gap^2 (1 + 1/n) + spread^4 (2n + 1)/n^2``. Sums over features are the moments of the whole statistic.

    Parameters
    ----------
    gap, spread : Tensor (..., n_features)
    n_shot : int, or math.inf

    Returns
    -------
    mean, variance : Tensor (..., n_features)
    """
    n = check_shots(n_shot)
    power = spread.square()
    return gap.square() / 2, power * gap.square() * (1 + 1 / n) + power.square() * (2 + 1 / n) / n


def approximate_error(gap: Tensor, spread: Tensor, *, n_shot: float) -> Tensor:
    """Return ``Phi(-S)``, S the mean of the statistic over its standard deviation: the error as if T were Gaussian.

    Measured against simulation it is within 0.06, and within 0.01 from 100 shots. Parameters as in
    `statistic_moments`; one error, ``(...)``, for all features together.
    """
    mean, variance = statistic_moments(gap, spread, n_shot=n_shot)
    return _upper_tail(mean.sum(-1), variance.sum(-1))


def helps(gap: Tensor, spread: Tensor, *, n_shot: float, kept: Tensor | None = None) -> Tensor:
    """Return for each feature whether the others do better with it than without it at `n_shot` shots.

    With E and V the sums of ``gap^2`` and of the variance of the statistic over the others, feature j helps iff
    ``(E + gap_j^2)^2 / (V + c_j) > E^2 / V``.

    Parameters
    ----------
    gap, spread : Tensor (..., n_features)
    n_shot : int, or math.inf
        At infinity a feature can still be harmful: distances weigh features by their variance, whether they tell the
        classes apart or not.
    kept : Tensor (..., n_features) of bool, optional
        The features that count as the others, each time without j itself; by default all.

    Returns
    -------
    Tensor (..., n_features) of bool
    """
    mean, variance = statistic_moments(gap, spread, n_shot=n_shot)
    weight = torch.ones_like(mean) if kept is None else kept.to(mean)
    signal, noise = ((value * weight).sum(-1, keepdim=True) - value * weight for value in (mean, variance))
    signal, noise = signal.clamp_min(0), noise.clamp_min(0)
    # multiplied out, as known prototypes leave a feature without gap no variance; others without signal are no help
    gains = (signal + mean).square() * noise > signal.square() * (noise + variance)
    return torch.where(signal > 0, gains, mean > 0)


def harm(gap: Tensor, spread: Tensor, *, n_shot: float, kept: Tensor | None = None) -> dict[Role, Tensor]:
    """Return which features are useful, redundant in few shots only, or harmful to the distance at any number of shots.

    Parameters
    ----------
    gap, spread, n_shot, kept
        As in `helps`, `n_shot` finite.

    Returns
    -------
    dict of Tensor (..., n_features) of bool
        ``useful`` helps at `n_shot`; ``few_shot`` does not, but would with known prototypes; ``metric`` helps at
        neither: it confounds the unweighted distance, but would not confound a whitened one or a linear probe.
    """
    now = helps(gap, spread, n_shot=n_shot, kept=kept)
    later = helps(gap, spread, n_shot=math.inf, kept=kept)
    return {"useful": now, "few_shot": ~now & later, "metric": ~now & ~later}


def optimal_mask(ratio: Tensor, spread: Tensor, *, n_shot: float) -> Tensor:
    """Return the diagonal mask with the largest S: ``sqrt(r^2 / (r^2 (1 + 1/n) + (2n + 1)/n^2)) / spread``.

    S of a mask m is ``sum m^2 gap^2 / 2`` over the root of ``sum m^4 c``, with c the variance of `statistic_moments`;
    its maximum is at ``m^2 = gap^2 / c`` (Cauchy and Schwarz), up to a factor. At infinity this is ``1 / spread``,
    diagonal discriminant analysis; at one shot and small r it is ``r / (sqrt(3) spread)``, the oracle of Luo et al.
    2022 where magnitude goes with spread.

    Parameters
    ----------
    ratio : Tensor (..., n_features)
        ``gap / spread``.
    spread : Tensor (..., n_features)
        A feature with r above 0 and no spread gets the largest weight there is; one with r = 0 gets 0.
    n_shot : int, or math.inf

    Returns
    -------
    Tensor (..., n_features)
    """
    n, power = check_shots(n_shot), ratio.square()
    return safe_ratio(safe_ratio(power, power * (1 + 1 / n) + (2 + 1 / n) / n).sqrt(), spread)


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
    for a, b, query in _draws(gap, spread, n_shot, n_trials, seed):
        statistic = ((a - b) * (query - (a + b) / 2)) @ _squares(gap, masks).T
        hits.append((statistic < 0).double() + (statistic == 0).double() / 2)
    return _mean_and_error(torch.cat(hits), masks)


def averaged_errors(
    gap: Tensor, spread: Tensor, *, n_shot: int, n_trials: int, seed: int, masks: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mean of the exact error over drawn prototypes: `simulated_errors` with the query integrated out.

    The same parameters and returns; the same limit with a smaller standard error, as only the prototypes are drawn.
    """
    weights, errors = _squares(gap, masks).sqrt(), []
    for a, b, _ in _draws(gap, spread, n_shot, n_trials, seed):
        parts = [error_given_prototypes(w * gap, w * spread, w * a, w * b) for w in weights]
        errors.append(torch.stack(parts, 1))
    return _mean_and_error(torch.cat(errors), masks)


def _upper_tail(mean: Tensor, variance: Tensor) -> Tensor:
    """Return P(T < 0) of a Gaussian T; without variance a step, 1/2 at 0."""
    score = torch.where(variance > 0, mean / variance.sqrt(), torch.sign(mean) * math.inf).nan_to_num(0.0)
    tail: Tensor = torch.special.ndtr(-score)
    return tail


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
        a, b, query = torch.randn(shape, generator=draw, dtype=torch.float64) * spread
        yield gap + a / math.sqrt(n_shot), b / math.sqrt(n_shot), gap + query


def _squares(gap: Tensor, masks: Tensor | None) -> Tensor:
    return torch.ones(1, len(gap), dtype=torch.float64) if masks is None else masks.double().square()


def _mean_and_error(values: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor]:
    shape = () if masks is None else (len(masks),)
    return values.mean(0).reshape(shape), (values.std(0, correction=0) / math.sqrt(len(values))).reshape(shape)
