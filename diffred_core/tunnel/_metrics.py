"""The three measures of a tunnel (Harun et al. 2024, sec. 3.1): performance retained, correlation, alignment."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.tunnel._curves import above_zero, as_accuracies, as_curves


def percent_retained(ood: Tensor | ArrayLike) -> Tensor:
    """Return the percentage of OOD performance retained at the end: ``100 a_p / max_l a_l`` (Harun et al. 2024).

    Parameters
    ----------
    ood : Tensor (..., n_layers)
        Probe accuracies on other data than the network was trained on, in [0, 1], in execution order; the last
        layer is the penultimate one, whose accuracy is ``a_p``.

    Returns
    -------
    Tensor (...) of float64
        Exactly 100 where no layer is better than the penultimate one: there is no tunnel.

    Raises
    ------
    InputError
        Fewer than two layers, accuracies outside [0, 1], or a curve that is 0 everywhere.
    """
    curves = above_zero(as_curves(ood, name="ood"), name="ood")
    return 100 * (curves[..., -1] / curves.amax(-1))


def id_ood_correlation(id_accuracy: Tensor | ArrayLike, ood: Tensor | ArrayLike) -> Tensor:
    """Return Pearson's correlation of the ID and OOD accuracies over layers (Harun et al. 2024).

    Parameters
    ----------
    id_accuracy, ood : Tensor (..., n_layers)
        Probe accuracies of the same layers; leading axes are broadcast, so that one ID curve serves many OOD sets.

    Returns
    -------
    Tensor (...) of float64
        From -1 to 1. NaN, and never the correlation of rounding errors, where all entries of a curve are equal: it then
        varies with nothing. Two layers always give -1 or 1: quote it with several.

    Raises
    ------
    InputError
        As `percent_retained`, and curves of different layers.
    """
    x, y = as_curves(id_accuracy, name="id_accuracy"), as_curves(ood, name="ood")
    if x.shape[-1] != y.shape[-1]:
        raise InputError(
            f"expected accuracies of the same layers in id_accuracy and ood, got {x.shape[-1]} and {y.shape[-1]} "
            "layers; probe the same layers on both"
        )
    flat = (x.amax(-1) == x.amin(-1)) | (y.amax(-1) == y.amin(-1))
    x, y = x - x.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
    value = (x * y).sum(-1) / (x.square().sum(-1) * y.square().sum(-1)).sqrt()
    return torch.where(flat, torch.nan, value.clamp(-1, 1))


def alignment(
    id_accuracy: Tensor | ArrayLike,
    ood_accuracy: Tensor | ArrayLike,
    *,
    id_classes: int,
    ood_classes: int | Tensor | ArrayLike,
) -> Tensor:
    """Return the ID/OOD alignment ``(a_id - 1/C_id)(a_ood - 1/C_ood)`` (Harun et al. 2024).

    Parameters
    ----------
    id_accuracy, ood_accuracy : float or Tensor (...)
        Accuracies in [0, 1] of one layer; the published values are those of the penultimate one. They are broadcast.
    id_classes, ood_classes : int, or (...) like `ood_accuracy`
        Numbers of classes, whose inverses are the accuracies of guessing.

    Returns
    -------
    Tensor (...) of float64
        0 if either is at chance; two accuracies below chance also give a positive product, as published.

    Raises
    ------
    InputError
        Accuracies outside [0, 1], or fewer than two classes.
    """
    inside, outside = as_accuracies(id_accuracy, name="id_accuracy"), as_accuracies(ood_accuracy, name="ood_accuracy")
    chance = _chance(id_classes, inside, name="id_classes"), _chance(ood_classes, outside, name="ood_classes")
    return (inside - chance[0]) * (outside - chance[1])


def _chance(n_classes: int | Tensor | ArrayLike, like: Tensor, *, name: str) -> Tensor:
    counts = torch.as_tensor(n_classes).to(like)
    if (counts < 2).any() or not torch.equal(counts, counts.round()):
        raise InputError(
            f"expected {name} of at least 2, whole numbers, got {n_classes!s}; count the classes of the task"
        )
    return 1 / counts
