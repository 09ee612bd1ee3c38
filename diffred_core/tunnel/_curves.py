"""What a curve of accuracies by layer must be."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.errors import InputError


def as_accuracies(values: Tensor | ArrayLike, *, name: str) -> Tensor:
    """Return accuracies as float64; refuse what lies outside [0, 1]."""
    values = torch.as_tensor(values, dtype=torch.float64)
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        raise InputError(
            f"expected accuracies in [0, 1] in {name}, got {values[wrong].flatten()[0].item():g}; "
            "divide percentages by 100, and drop the probes that failed"
        )
    return values


def as_curves(accuracy: Tensor | ArrayLike, *, name: str) -> Tensor:
    """Return curves ``(..., n_layers)`` as float64; refuse fewer than two layers."""
    curves = as_accuracies(accuracy, name=name)
    if curves.ndim == 0 or curves.shape[-1] < 2 or not curves.numel():
        raise InputError(
            f"expected {name} of shape (..., n_layers) with at least two layers, got {tuple(curves.shape)}; "
            "probe several layers, in execution order, the penultimate one last"
        )
    return curves


def as_curve(accuracy: Tensor | ArrayLike, *, name: str) -> Tensor:
    """Return one curve ``(n_layers,)`` with an accuracy above 0."""
    curve = as_curves(accuracy, name=name)
    if curve.ndim != 1:
        raise InputError(
            f"expected {name} of shape (n_layers,), one curve, got {tuple(curve.shape)}; "
            "average over repeats first, or ask for every curve in turn"
        )
    return above_zero(curve, name=name)


def above_zero(curves: Tensor, *, name: str) -> Tensor:
    """Refuse a curve that is 0 in every layer: a share of nothing is not defined."""
    if (curves.amax(-1) == 0).any():
        raise InputError(
            f"expected an accuracy above 0 in some layer of every curve of {name}, got 0 in all; check the labels"
        )
    return curves
