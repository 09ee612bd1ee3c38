"""Losses of logits, and penalties on features and logits: every one a function of one batch, with its paper."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

SMOOTHING = 0.1
DIVISION_FLOOR = 1e-8  # of a distance, so that two equal rows have a finite logarithm


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Return ``-log softmax(logits)_y``, mean over rows.

    Of cosines it is the cosine softmax (`CosineHead`): the loss is one, the classifier another.
    """
    return F.cross_entropy(logits, y)


def label_smoothing(logits: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy to the target ``(1 - a) onehot(y) + a / K``, a = 0.1 (Szegedy et al. 2016, sec. 7)."""
    return F.cross_entropy(logits, y, label_smoothing=SMOOTHING)


def squared_error(logits: Tensor, y: Tensor) -> Tensor:
    """Return ``1/K sum_k (logits_k - onehot(y)_k)^2``, mean over rows (Hui & Belkin 2021, sec. 2, for few classes).

    Kornblith et al. (2021, squared error) weigh the true class and lift its target, which a thousand classes need.
    """
    return F.mse_loss(logits, F.one_hot(y, logits.shape[1]).to(logits))


def logit_penalty(features: Tensor, logits: Tensor) -> Tensor:
    """Return ``||logits||^2``, mean over rows (Kornblith et al. 2021, logit penalty: the strength is its beta)."""
    return logits.square().sum(1).mean()


def decov(features: Tensor, logits: Tensor) -> Tensor:
    """Return ``(||C||_F^2 - ||diag C||^2) / 2``, C the covariance of the batch (Cogswell et al. 2016, eq. 2).

    Nanda et al. (2023) weigh it with 1e-4 on the 2048 features of a ResNet50.
    """
    centred = features - features.mean(0)
    covariance = centred.T @ centred / len(features)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / 2


def koleo(features: Tensor, logits: Tensor) -> Tensor:
    """Return ``-mean_i log min_{j != i} ||x_i - x_j||`` of rows of unit length (Sablayrolles et al. 2019, L_KoLeo).

    Less the entropy of the batch by Kozachenko and Leonenko, but for constants: it spreads features over the sphere.
    """
    rows = F.normalize(features)
    with torch.no_grad():  # which row is nearest
        cosines = rows @ rows.T
        nearest = cosines.fill_diagonal_(-2.0).argmax(1)
    return -(F.pairwise_distance(rows, rows[nearest]) + DIVISION_FLOOR).log().mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "label_smoothing": label_smoothing,
    "squared_error": squared_error,
    "cosine_softmax": cross_entropy,
}
PENALTIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "logit_penalty": logit_penalty,
    "decov": decov,
    "koleo": koleo,
}


def dropped(features: Tensor, p: float, generator: torch.Generator) -> Tensor:
    """Return the features with each entry 0 with probability `p`, the others over ``1 - p`` (Srivastava et al. 2014).

    The draw is made on the CPU, so that one seed gives one mask on every device.
    """
    kept = torch.rand(features.shape, generator=generator) >= p
    return features * kept.to(features) / (1 - p)
