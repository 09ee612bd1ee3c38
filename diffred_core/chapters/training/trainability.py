"""Batch entropy of deep networks before training: whether anything of a batch still reaches the last layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diffred_core import geometry
from diffred_core import moments as feature_moments
from diffred_core.chapters.training.perceptrons import (
    HE,
    INITIAL,
    TORCH,
    Objective,
    PerceptronRecipe,
    Perceptrons,
    training,
)
from diffred_core.errors import InputError

PLAIN, REGULARISED = "plain", "batch_entropy"
FLOOR, STRENGTH = 0.2, 0.5  # alpha_min and beta, as published; alpha begins at 0.5
TARGET = 0.5


@dataclass(frozen=True, eq=False)
class DeepNetworks:
    """Networks of one depth and kind of first weights.

    Attributes
    ----------
    initial : str
        ``he`` or ``torch``, as in `Perceptrons.drawn`.
    depth : int
        Hidden layers.
    objective : str
        ``plain`` cross-entropy, or with ``batch_entropy`` in it.
    before, after : Tensor (n_seeds, depth)
        Batch entropy of every hidden layer on training rows, of the first and of the trained weights.
    predicted : Tensor (depth,)
        The same before training, of layers without end: of units that all have the expected variance, which makes it a
        bound from above (Jensen).
    accuracy : Tensor (n_seeds,)
        Of the trained networks, on test rows.
    """

    initial: str
    depth: int
    objective: str
    before: Tensor
    after: Tensor
    predicted: Tensor
    accuracy: Tensor


def entropies(networks: Perceptrons, X: Tensor) -> Tensor:
    """Return the batch entropy of every hidden layer on the rows X, (n_networks, n_layers) of float64."""
    hidden = [layer.detach().double() for layer in networks.outputs(X)[:-1]]
    return torch.tensor(
        [
            [geometry.batch_entropy(feature_moments.from_features(rows, quartic=False)) for rows in of_network]
            for of_network in zip(*hidden, strict=True)
        ],
        dtype=torch.float64,
    )


def predicted_variances(X: Tensor, depth: int, *, initial: str) -> Tensor:
    """Return the variance over the rows X of a unit of every hidden layer with first weights, (depth,) of float64.

    Its expectation, of layers without end. A unit of such a layer is Gaussian before it is rectified, with covariance
    ``k(x, x')`` between rows, and of the next layer

        ``k'(x, x') = w / (2 pi) sqrt(q q') (sin t + (pi - t) cos t) + b``,  ``cos t = k(x, x') / sqrt(q q')``,

    with q, q' on the diagonal of k, w the variance of a weight times its inputs and b that of a bias (Cho and Saul
    2009, eq. 6; Lee et al. 2018, eq. 5).

    Raises
    ------
    InputError
        A depth below 1.
    """
    if depth < 1:
        raise InputError(f"expected a depth of at least 1 hidden layer, got {depth}; 20 are deep")
    X = X.double()
    n, values = len(X), list[Tensor]()
    products, n_inputs = X @ X.mT / X.shape[1], float(X.shape[1])
    for _ in range(depth):
        # the biases of an endless layer have no variance, those after the inputs have
        bias = INITIAL[initial] / n_inputs if initial == TORCH else 0.0
        products, n_inputs = rectified(INITIAL[initial] * products + bias), math.inf
        values.append((products.diagonal().mean() - products.mean()).clamp_min(0) * n / (n - 1))
    return torch.stack(values)


def trained_deep(
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    width: int,
    depths: Sequence[int],
    seeds: Sequence[int],
    recipe: PerceptronRecipe,
    n_classes: int,
    n_batch: int = 256,
) -> Iterator[DeepNetworks]:
    """Yield deep networks of both kinds of first weights, and those of `torch` with the regulariser besides.

    Parameters
    ----------
    train, test : (X, y)
    width : int
        Of every hidden layer.
    depths : sequence of int
        Hidden layers.
    seeds : sequence of int
    recipe : PerceptronRecipe
    n_classes : int
    n_batch : int
        Training rows on which entropies are measured.

    Raises
    ------
    InputError
        As `Perceptrons.drawn`, `training` and `predicted_variances`.
    """
    X = train[0][:n_batch]
    for depth in depths:
        for initial, objective in ((HE, PLAIN), (TORCH, PLAIN), (TORCH, REGULARISED)):
            predicted = entropy_of(predicted_variances(X, depth, initial=initial))
            networks = Perceptrons.drawn((X.shape[1], *[width] * depth, n_classes), seeds, initial=initial)
            target = torch.full((len(seeds), depth), TARGET, requires_grad=True)
            options: dict[str, Any] = (
                {"more": [target], "objective": _with_entropy(target)} if objective == REGULARISED else {}
            )
            setting = f"{depth} layers of {width}, {initial} weights, {objective} objective"
            *_, (_, after) = training(networks, *train, recipe=recipe, seeds=seeds, setting=setting, **options)
            yield DeepNetworks(
                initial=initial,
                depth=depth,
                objective=objective,
                before=entropies(networks, X),
                after=entropies(after, X),
                predicted=predicted,
                accuracy=after.accuracy(*test),
            )


def entropy_of(variance: Tensor) -> Tensor:
    """Return the batch entropy ``log(1 + pi e variance) / 2`` of every variance: `geometry.feature_entropy`."""
    return torch.log1p(math.pi * math.e * variance) / 2


def _with_entropy(target: Tensor) -> Objective:
    """Return the objective ``CE + CE beta mean_l (H_l - max(alpha_min, |alpha_l|))^2`` (Peer et al. 2022, eq. 4)."""

    def objective(outputs: Sequence[Tensor], loss: Tensor) -> Tensor:
        entropy = torch.stack([entropy_of(layer.var(1)).mean(1) for layer in outputs[:-1]], dim=1)
        apart = (entropy - target.abs().clamp_min(FLOOR)).square().mean(1)
        return loss + loss * STRENGTH * apart

    return objective


def rectified(covariance: Tensor) -> Tensor:
    """Return ``E relu(u) relu(v)`` for normal u, v of every pair of rows, from their covariance (n, n)."""
    size = covariance.diagonal().sqrt()
    norms = size[:, None] * size
    cosine = (covariance / norms).clamp(-1, 1)
    angle = cosine.arccos()
    return norms / (2 * math.pi) * (angle.sin() + (math.pi - angle) * cosine)
