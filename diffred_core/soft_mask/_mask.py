"""Masks: one weight for each dimension from its importance, for one task or for thousands at once."""

from __future__ import annotations

from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor

from diffred_core import subsets
from diffred_core.errors import InputError, near_names
from diffred_core.few_shot import optimal_mask
from diffred_core.few_shot.rows import check_shots, safe_ratio

_Value = TypeVar("_Value")
MaskKind = Literal["importance", "sqrt", "scaled", "inverse_spread", "mmc", "theory", "hard"]


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

    Raises
    ------
    InputError
        Unknown `kind`; a companion that is missing, misshapen, negative or not finite; an importance (or, debiased,
        what is left of it) that is negative, not finite or 0 everywhere in a task.
    """
    known = get_args(MaskKind)
    if kind not in known:
        raise InputError(f"kind: expected one of {', '.join(known)}, got {kind!r}{near_names(str(kind), known)}")
    R = _checked(importance)
    if debiased:
        R = _debiased(R, kind, n_shot)
    weight = _raw_mask(R, kind, spread, magnitude, n_shot, fraction)
    return weight / weight.amax(-1, keepdim=True)


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


def _raw_mask(
    R: Tensor,
    kind: str,
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
    if name == "spread" and value.ndim == R.ndim + 1:
        value = value.mean(-2)
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
