"""The measures of a tunnel (Harun et al. 2024, sec. 3.1): what is retained, correlation, alignment, start, strength."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.errors import InputError


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
    curves = _curves(ood, name="ood")
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
    x = _curves(id_accuracy, name="id_accuracy", positive=False)
    y = _curves(ood, name="ood", positive=False)
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
    inside, outside = _accuracies(id_accuracy, name="id_accuracy"), _accuracies(ood_accuracy, name="ood_accuracy")
    chance = _chance(id_classes, inside, name="id_classes"), _chance(ood_classes, outside, name="ood_classes")
    return (inside - chance[0]) * (outside - chance[1])


def tunnel_start(id_accuracy: Tensor | ArrayLike, *, share: float = 0.95) -> int:
    """Return the first layer whose ID accuracy reaches `share` of the final one (Masarczyk et al. 2023).

    Parameters
    ----------
    id_accuracy : Tensor (n_layers,)
        Probe accuracies on the data the network was trained on, in execution order.
    share : float
        In (0, 1]; 0.95 and 0.98 are the published ones.

    Returns
    -------
    int
        Index from 0. That of the last layer, ``n_layers - 1``, says that all layers are needed: there is no tunnel.

    Raises
    ------
    InputError
        As `percent_retained`, a batch of curves, or a share out of range.
    """
    curve = _curves(id_accuracy, name="id_accuracy", single=True)
    if not 0 < share <= 1:
        raise InputError(f"expected share in (0, 1], got {share}; 0.95 and 0.98 are the published shares")
    return int((curve >= share * curve[-1]).nonzero()[0])


def revised_tunnel_start(ood: Tensor | ArrayLike) -> int | None:
    """Return the layer of the best OOD accuracy, if the penultimate one falls short of it (Harun et al. 2024).

    Parameters
    ----------
    ood : Tensor (n_layers,)
        Probe accuracies on other data, in execution order, the penultimate layer last.

    Returns
    -------
    int or None
        Index from 0, of equal layers the first; None where no layer is better than the penultimate one: no tunnel.

    Raises
    ------
    InputError
        As `tunnel_start`.
    """
    curve = _curves(ood, name="ood", single=True)
    best = int((curve == curve.max()).nonzero()[0])
    return best if curve[best] > curve[-1] else None


def _chance(n_classes: int | Tensor | ArrayLike, like: Tensor, *, name: str) -> Tensor:
    counts = torch.as_tensor(n_classes).to(like)
    if (counts < 2).any() or not torch.equal(counts, counts.round()):
        raise InputError(
            f"expected {name} of at least 2, whole numbers, got {n_classes!s}; count the classes of the task"
        )
    return 1 / counts


def _accuracies(values: Tensor | ArrayLike, *, name: str) -> Tensor:
    """Return accuracies as float64; refuse what lies outside [0, 1]."""
    values = torch.as_tensor(values, dtype=torch.float64)
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        raise InputError(
            f"expected accuracies in [0, 1] in {name}, got {values[wrong].flatten()[0].item():g}; "
            "divide percentages by 100, and drop the probes that failed"
        )
    return values


def _curves(accuracy: Tensor | ArrayLike, *, name: str, single: bool = False, positive: bool = True) -> Tensor:
    """Return curves ``(..., n_layers)`` as float64, of at least two layers; refuse several if it shall be a single one.

    A curve that shall be positive is not 0 in every layer: a share of nothing is not defined.
    """
    curves = _accuracies(accuracy, name=name)
    if curves.ndim == 0 or curves.shape[-1] < 2 or not curves.numel():
        raise InputError(
            f"expected {name} of shape (..., n_layers) with at least two layers, got {tuple(curves.shape)}; "
            "probe several layers, in execution order, the penultimate one last"
        )
    if single and curves.ndim != 1:
        raise InputError(
            f"expected {name} of shape (n_layers,), one curve, got {tuple(curves.shape)}; "
            "average over repeats first, or ask for every curve in turn"
        )
    if positive and (curves.amax(-1) == 0).any():
        raise InputError(
            f"expected an accuracy above 0 in some layer of every curve of {name}, got 0 in all; check the labels"
        )
    return curves
