"""Which dimensions tell the classes apart, and masks that weigh the features by it.

The published soft mask (Luo et al. 2023, arXiv 2310.03843; called AFIA in its second version) is known from its
abstract only: "adjust feature magnitude with a soft mask based on estimated feature importance". The masks here are
reconstructions and named as such; the importance is the pair statistic that the same group's code uses (Luo et al.
2022, arXiv 2206.08126).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from diffred_core.errors import InputError, near_names

ImportanceKind = Literal["mean_pair", "max_pair", "min_pair", "fisher"]
MaskKind = Literal["importance", "sqrt", "scaled", "inverse_spread", "mmc", "theory", "hard"]


def class_statistics(X: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return means, sample standard deviations (ddof 1) and counts of the classes that occur in `y`.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
    y : Tensor (n_samples,) of int64

    Returns
    -------
    mean, spread : Tensor (n_classes, n_features) of float64
    count : Tensor (n_classes,) of float64

    Raises
    ------
    InputError
        Fewer than two classes, or a class with one row (its spread is undefined).
    """
    classes, codes, count = torch.unique(y, return_inverse=True, return_counts=True)
    if len(classes) < 2 or int(count.min()) < 2:
        raise InputError(
            f"y: expected at least two classes with two rows each, got class counts {count.tolist()[:10]}; "
            "add rows, or augmented views of them, to the small classes"
        )
    X, count = X.double(), count.double()
    mean = X.new_zeros(len(classes), X.shape[1]).index_add_(0, codes, X) / count[:, None]
    squares = torch.zeros_like(mean).index_add_(0, codes, (X - mean[codes]).square())
    return mean, (squares / (count[:, None] - 1)).sqrt(), count


def importance(X: Tensor, y: Tensor, *, kind: ImportanceKind = "mean_pair") -> Tensor:
    """Return how well each dimension separates the classes, ``(n_features,)`` of float64, at least 0.

    For a pair of classes ``r_i(a, b) = 2 |mean_ai - mean_bi| / (spread_ai + spread_bi)`` (Luo et al. 2022, oracle of
    their released code; Luo et al. 2023, eq. 1). Over more than two classes the mean, largest or smallest pair is
    taken, or the Fisher ratio of between-class to within-class variance; which of these the paper uses is not known.
    Multiplying a feature by a constant leaves its importance unchanged.

    Raises
    ------
    InputError
        Unknown `kind`; fewer than two classes; a class with one row.
    """
    if kind not in get_args(ImportanceKind):
        known = get_args(ImportanceKind)
        raise InputError(f"kind: expected one of {', '.join(known)}, got {kind!r}{near_names(str(kind), known)}")
    mean, spread, count = class_statistics(X, y)
    if kind == "fisher":
        return _safe_ratio(_between_variance(mean, count), (spread.square() * (count - 1)[:, None]).sum(0))
    return _over_pairs(mean, spread, kind)


def _between_variance(mean: Tensor, count: Tensor) -> Tensor:
    centre = (count[:, None] * mean).sum(0) / count.sum()
    # the ANOVA F statistic: mean squares between over mean squares within
    scale = (count.sum() - len(count)) / (len(count) - 1)
    return (count[:, None] * (mean - centre).square()).sum(0) * scale


def _over_pairs(mean: Tensor, spread: Tensor, kind: ImportanceKind) -> Tensor:
    n_classes = len(mean)
    pairs = [
        _safe_ratio(2 * (mean[a] - mean[a + 1 :]).abs(), spread[a] + spread[a + 1 :]) for a in range(n_classes - 1)
    ]
    if kind == "mean_pair":
        return torch.stack([p.sum(0) for p in pairs]).sum(0) / (n_classes * (n_classes - 1) / 2)
    reduce = torch.Tensor.amax if kind == "max_pair" else torch.Tensor.amin
    return reduce(torch.stack([reduce(p, 0) for p in pairs]), 0)


def _safe_ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    # 0/0 is a constant dimension and separates nothing: 0. A positive difference over no spread separates perfectly:
    # the floor keeps it finite, far above any other, and in proportion to its own scale.
    floor = 1e-12 * numerator
    return torch.where(numerator == 0, torch.zeros_like(numerator), numerator / torch.maximum(denominator, floor))


def mask(
    importance: Tensor,
    *,
    kind: MaskKind = "importance",
    spread: Tensor | None = None,
    magnitude: Tensor | None = None,
    n_shot: int | None = None,
    fraction: float | None = None,
) -> Tensor:
    """Return one weight for each dimension, ``(n_features,)``, scaled so that the largest is 1.

    ==================  ======================================================  ===========
    kind                weight                                                  needs
    ==================  ======================================================  ===========
    ``importance``      ``R``: the literal reading of the abstract              -
    ``sqrt``            ``R ** 0.5``                                            -
    ``scaled``          ``R / spread``: the one-shot optimum at small ``R``     `spread`
    ``inverse_spread``  ``1 / spread`` alone: the control                       `spread`
    ``mmc``             ``R / mean |z|``: the group's own oracle (2022)         `magnitude`
    ``theory``          ``sqrt(R^2 / (R^2 (1 + 1/n) + (2n + 1)/n^2)) / spread``  `spread`, `n_shot`
    ``hard``            1 for the ``ceil(fraction * d)`` largest ``R``, else 0  `fraction`
    ==================  ======================================================  ===========

    ``theory`` maximises mean over standard deviation of the two-class nearest-centroid statistic over diagonal masks
    (our derivation, not in the paper).

    Raises
    ------
    InputError
        Unknown `kind`, a missing companion, an importance that is negative, not finite or zero everywhere.
    """
    R = importance.double()
    if not torch.isfinite(R).all() or (R < 0).any() or not (R > 0).any():
        raise InputError(
            "importance: expected finite values of at least 0 and one above 0, got "
            f"values from {R.min().item():.3g} to {R.max().item():.3g}; drop constant features or use other rows"
        )
    weight = _raw_mask(R, kind, spread, magnitude, n_shot, fraction)
    return weight / weight.max()


def _raw_mask(R, kind, spread, magnitude, n_shot, fraction) -> Tensor:
    if kind == "importance":
        return R
    if kind == "sqrt":
        return R.sqrt()
    if kind == "scaled":
        return _safe_ratio(R, _needed("spread", spread, kind))
    if kind == "inverse_spread":
        sigma = _needed("spread", spread, kind)
        return torch.where(sigma > 0, 1 / sigma.clamp_min(torch.finfo(sigma.dtype).tiny), torch.zeros_like(sigma))
    if kind == "mmc":
        return _safe_ratio(R, _needed("magnitude", magnitude, kind))
    if kind == "theory":
        n, sigma = _needed("n_shot", n_shot, kind), _needed("spread", spread, kind)
        return _safe_ratio((R.square() / (R.square() * (1 + 1 / n) + (2 * n + 1) / n**2)).sqrt(), sigma)
    if kind == "hard":
        return _top(R, _needed("fraction", fraction, kind))
    known = get_args(MaskKind)
    raise InputError(f"kind: expected one of {', '.join(known)}, got {kind!r}{near_names(str(kind), known)}")


def _needed(name: str, value, kind: str):
    if value is None:
        raise InputError(f"{name}: mask kind {kind!r} needs it, got None; pass {name}=...")
    return value.double() if isinstance(value, Tensor) else value


def _top(R: Tensor, fraction: float) -> Tensor:
    if not 0 < fraction <= 1:
        raise InputError(f"fraction: expected a number in (0, 1], got {fraction}; pass 1.0 to keep all features")
    size = -int(-fraction * len(R) // 1)
    kept = torch.zeros_like(R)
    kept[R.sort(descending=True, stable=True).indices[:size]] = 1.0
    return kept
