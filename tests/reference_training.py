"""Slow, obvious twins of what small networks are trained with. The package never imports them."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cross_entropy(logits: Tensor, y: Tensor, smoothing: float = 0.0) -> float:
    """Mean over rows of -sum_k target_k log softmax_k, row by row and class by class."""
    total = 0.0
    for row, label in zip(logits.tolist(), y.tolist(), strict=True):
        norm = math.log(sum(math.exp(value) for value in row))
        for k, value in enumerate(row):
            target = (1 - smoothing) * (k == label) + smoothing / len(row)
            total -= target * (value - norm)
    return total / len(y)


def squared_error(logits: Tensor, y: Tensor) -> float:
    """Mean over rows and classes of the squared distance to 0 or 1."""
    rows = zip(logits.tolist(), y.tolist(), strict=True)
    parts = [(value - (k == label)) ** 2 for row, label in rows for k, value in enumerate(row)]
    return sum(parts) / len(parts)


def logit_penalty(_features: Tensor, logits: Tensor) -> float:
    """Mean over rows of the sum of squared logits."""
    return sum(value**2 for row in logits.tolist() for value in row) / len(logits)


def decov(features: Tensor, _logits: Tensor) -> float:
    """Half the sum of squared covariances of every two different features."""
    columns = features.T.tolist()
    means = [sum(column) / len(column) for column in columns]
    total = 0.0
    for i, a in enumerate(columns):
        for j, b in enumerate(columns):
            covariance = sum((x - means[i]) * (y - means[j]) for x, y in zip(a, b, strict=True)) / len(a)
            total += 0.5 * covariance**2 * (i != j)
    return total


def koleo(features: Tensor, _logits: Tensor) -> float:
    """Minus the mean logarithm of the distance to the nearest other row, all rows of length one."""
    rows = [(row / row.square().sum().sqrt()).tolist() for row in features]
    distances = [[math.dist(a, b) for j, b in enumerate(rows) if j != i] for i, a in enumerate(rows)]
    return -sum(math.log(min(others)) for others in distances) / len(rows)


def cosine_logits(features: Tensor, weight: Tensor) -> list[list[float]]:
    """20 times the cosine of every row with the weight of every class."""
    return [[20 * float(x @ w) / float(x.norm() * w.norm()) for w in weight] for x in features]


def attack_of_linear(pixels: Tensor, weight: Tensor, y: Tensor, eps: float, steps: int) -> Tensor:
    """Projected gradient ascent of the cross-entropy of ``weight @ x``, one image at a time, its gradient by hand."""
    found = []
    for image, label in zip(pixels.double().flatten(1), y.tolist(), strict=True):
        x = image.clone()
        for _ in range(steps):
            probabilities = torch.softmax(weight.double() @ x, 0)
            probabilities[label] -= 1
            gradient = weight.double().T @ probabilities
            change = x + 2.5 * eps / steps * gradient / gradient.norm() - image
            if change.norm() > eps:
                change = eps * change / change.norm()
            x = (image + change).clamp(0, 1)
        found.append(x)
    return torch.stack(found).view(pixels.shape)
