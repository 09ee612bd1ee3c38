"""Toy models of superposition: more sparse features than dimensions, each read back through a rectifier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core import geometry
from diffred_core.chapters.training.perceptrons import refuse_divergence
from diffred_core.checks import check_choice
from diffred_core.errors import InputError

POLYTOPES = ("digon", "triangle", "tetrahedron", "pentagon", "square antiprism")
REPRESENTED = 0.5  # squared length above which a feature counts as represented


@dataclass(frozen=True, eq=False)
class ToyModels:
    """Trained toy models ``x' = relu(W' W x + b)``, one a density and seed.

    Attributes
    ----------
    densities : tuple of float
        Probability that a feature is there.
    weights : Tensor (n_densities, n_seeds, n_features, n_dims)
        A row a feature.
    losses : Tensor (n_densities, n_seeds)
        Importance-weighted squared error on fresh rows, summed over features.
    """

    densities: tuple[float, ...]
    weights: Tensor
    losses: Tensor

    @property
    def dimensionality(self) -> Tensor:
        """Dimensions that every feature has to itself, (n_densities, n_seeds, n_features)."""
        flat = [geometry.feature_dimensionality(model) for model in self.weights.flatten(0, 1)]
        return torch.stack(flat).view(self.weights.shape[:3])

    @property
    def represented(self) -> Tensor:
        """Number of features whose squared length is above a half, (n_densities, n_seeds)."""
        return (self.weights.square().sum(-1) > REPRESENTED).sum(-1)


def polytope(name: str) -> Tensor:
    """Return the corners (n, m) of a polytope that n features can take in m dimensions (Elhage et al. 2022).

    All are tight frames, ``V'V = (n / m) I``: every corner then has ``1 / sum_j cos^2 = m / n`` dimensions.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    check_choice(name, POLYTOPES, "expected a polytope among {}")
    if name == "digon":
        return torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    if name == "tetrahedron":
        signs = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
        return torch.tensor(signs, dtype=torch.float64) / math.sqrt(3)
    if name == "square antiprism":
        turned = torch.cat([_polygon(4), _polygon(4, turn=math.pi / 4)])
        # height at which the frame is tight: sum z^2 = sum x^2
        height = torch.tensor([1.0] * 4 + [-1.0] * 4, dtype=torch.float64)[:, None] / math.sqrt(2)
        return torch.cat([turned, height], 1) / math.sqrt(1.5)
    return _polygon({"triangle": 3, "pentagon": 5}[name])


def loss_without_superposition(density: float, importance: Tensor, n_dims: int) -> float:
    """Return the least loss of a model that gives its dimensions to the most important features alone.

    Of each other feature it returns the mean ``p / 2``, which costs its variance ``p / 3 - p^2 / 4`` where it is there
    with probability p and then uniform in [0, 1].

    Parameters
    ----------
    density : float
    importance : Tensor (n_features,)
    n_dims : int
    """
    left_out = importance.double().sort(descending=True).values[n_dims:]
    return float(left_out.sum()) * (density / 3 - density**2 / 4)


def trained_toys(
    *,
    n_features: int,
    n_dims: int,
    densities: Sequence[float],
    seeds: Sequence[int],
    importance_decay: float = 1.0,
    steps: int = 4000,
    batch_size: int = 256,
    learning_rate: float = 3e-3,
) -> ToyModels:
    """Train toy models of every density and seed, all at once (Elhage et al. 2022, "Demonstrating superposition").

    Adam; the learning rate falls to 0 along a cosine, which spares steps. Models of one seed have the same first
    weights. Differs: published is AdamW of batches of 1,024 at 1e-3, not lowered.

    Parameters
    ----------
    n_features, n_dims : int
        Features, and fewer dimensions.
    densities : sequence of float
        Probability p that a feature is there, ``1 - sparsity``; it is then uniform in [0, 1].
    seeds : sequence of int
    importance_decay : float
        Importance of feature i is its i-th power.
    steps, batch_size, learning_rate

    Raises
    ------
    InputError
        If there are no fewer dimensions than features, a probability is not in (0, 1], a number is not above 0, or a
        loss is not finite.
    """
    _check(n_features, n_dims, densities, importance_decay)
    importance = importance_decay ** torch.arange(n_features, dtype=torch.float32)
    first = [_first_weights(n_features, n_dims, seed) for seed in seeds]
    W = torch.stack(first).repeat(len(densities), 1, 1).requires_grad_()
    b = torch.zeros(len(W), 1, n_features, requires_grad=True)
    p = torch.tensor(densities).repeat_interleave(len(seeds))[:, None, None]
    draw = torch.Generator().manual_seed(min(seeds))
    optimiser = torch.optim.Adam([W, b], lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    names = [seed for _ in densities for seed in seeds]
    for step in range(steps):
        x = _rows(p, batch_size, n_features, draw)
        loss = _losses(W, b, x, importance)
        setting = f"{n_features} features in {n_dims} dimensions"
        refuse_divergence(loss.detach(), step=step, setting=setting, seeds=names)
        optimiser.zero_grad()
        # one weight a density: rare features have small losses, and Adam sees each weight alone anyway
        loss.sum().backward()
        optimiser.step()
        schedule.step()
    shape = (len(densities), len(seeds))
    with torch.no_grad():
        fresh = torch.stack([_losses(W, b, _rows(p, 1024, n_features, draw), importance) for _ in range(16)]).mean(0)
    return ToyModels(tuple(densities), W.detach().double().view(*shape, n_features, n_dims), fresh.double().view(shape))


def _losses(W: Tensor, b: Tensor, x: Tensor, importance: Tensor) -> Tensor:
    returned = (x @ W @ W.mT + b).relu()
    losses: Tensor = (importance * (x - returned).square()).sum(2).mean(1)
    return losses


def _rows(p: Tensor, n: int, n_features: int, draw: torch.Generator) -> Tensor:
    shape = (len(p), n, n_features)
    return torch.rand(shape, generator=draw) * (torch.rand(shape, generator=draw) < p)


def _first_weights(n_features: int, n_dims: int, seed: int) -> Tensor:
    return torch.randn(n_features, n_dims, generator=torch.Generator().manual_seed(seed)) / math.sqrt(n_features)


def _polygon(n: int, *, turn: float = 0.0) -> Tensor:
    angles = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n + turn
    return torch.stack([angles.cos(), angles.sin()], 1)


def _check(n_features: int, n_dims: int, densities: Sequence[float], importance_decay: float) -> None:
    if not 1 <= n_dims < n_features:
        raise InputError(
            f"expected fewer dimensions than features, at least 1, got {n_dims} for {n_features}; with as many every "
            "feature has its own"
        )
    for density in densities:
        if not 0 < density <= 1:
            raise InputError(
                f"expected densities in (0, 1], got {density}; a feature that is never there, or more than always, "
                "teaches nothing"
            )
    if not 0 < importance_decay <= 1:
        raise InputError(f"expected importance_decay in (0, 1], got {importance_decay}; 1 makes all alike")
