"""The strongest small change of an image that projected gradient steps find."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 2.5  # lengths of the ball that all steps together could go
TINY = 1e-12


def attacked(logits_of: Callable[[Tensor], Tensor], pixels: Tensor, y: Tensor, *, eps: float, steps: int) -> Tensor:
    """Return images within an l2 ball of each, their cross-entropy raised by projected gradient ascent.

    Madry et al. (2018, sec. 2.1) with the l2 ball of Salman et al. (2020): ``d <- project(d + a g / ||g||)`` with
    ``a = 2.5 eps / steps``, from d = 0.

    Parameters
    ----------
    logits_of : callable
        From images (n, 3, h, w) in units of 0..1 to logits (n, n_classes), differentiable.
    pixels : Tensor (n, 3, h, w) of float32
        In units of 0..1, as all images that are returned.
    y : Tensor (n,) of int64
    eps : float
        Greatest l2 distance of an image from its own, over all of its channels and pixels.
    steps : int

    Returns
    -------
    Tensor (n, 3, h, w)
        Detached.
    """
    changed = pixels
    for _ in range(steps):
        x = changed.detach().requires_grad_()
        # summed: what another row of the batch does to a row's mean is no part of its gradient
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits_of(x), y, reduction="sum"), x)
        step = _within(gradient / _norms(gradient) * (REACH * eps / steps) + x.detach() - pixels, eps)
        changed = (pixels + step).clamp(0, 1)
    return changed.detach()


def _within(change: Tensor, eps: float) -> Tensor:
    return change * (eps / _norms(change)).clamp(max=1.0)


def _norms(images: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(images.flatten(1), dim=1)
    return norms.clamp_min(TINY).view(-1, 1, 1, 1)
