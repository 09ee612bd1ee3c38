"""Nearest centroids on two Gaussian classes with independent features: what n shots do, exactly or nearly.

Class a has mean ``mu_a``, class b ``mu_b``, both have standard deviations ``spread``; ``gap = |mu_a - mu_b|``. A
prototype is the mean of `n_shot` rows. The first statement generalises theorem 5.1 of Luo et al. 2023
(arXiv 2310.03843) to any number of features; the rest is our own derivation, with explicit constants in place of the
paper's O(sqrt(log n / n)). A diagonal mask m multiplies `gap` and `spread`. Every function broadcasts over leading
dimensions and takes ``n_shot=math.inf`` for prototypes that are known.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from diffred_core.few_shot.ratio import safe_ratio
from diffred_core.few_shot.rows import check_shots

Role = Literal["useful", "few_shot", "metric"]


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

    Measured against simulation it is within 0.06, and within 0.01 from 100 shots.

    Parameters
    ----------
    gap, spread : Tensor (..., n_features)
    n_shot : int, or math.inf

    Returns
    -------
    Tensor (...)
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
    gap, spread : Tensor (..., n_features)
    n_shot : int
    kept : Tensor (..., n_features) of bool, optional
        As in `helps`.

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


def _upper_tail(mean: Tensor, variance: Tensor) -> Tensor:
    """Return P(T < 0) of a Gaussian T; without variance a step, 1/2 at 0."""
    score = torch.where(variance > 0, mean / variance.sqrt(), torch.sign(mean) * math.inf).nan_to_num(0.0)
    tail: Tensor = torch.special.ndtr(-score)
    return tail
