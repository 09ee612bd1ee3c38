"""Data that fill a subspace: what a network is off it, where no gradient ever points (He, Tsai and Ward 2022).

In the axes of the subspace: the last inputs of every row are 0. Rotating all inputs changes nothing for networks whose
first weights are normal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from diffred_core.chapters.training.complexity import jacobians
from diffred_core.chapters.training.perceptrons import PerceptronRecipe, Perceptrons, training
from diffred_core.errors import InputError

PLAIN, SMALL, DECAY, NOISE, DEEP = "plain", "small_start", "weight_decay", "training_noise", "deeper"


@dataclass(frozen=True, eq=False)
class OffTheData:
    """Networks that were trained on rows in a subspace, in one way.

    Attributes
    ----------
    method : str
        How.
    norms, predicted : dict of int to Tensor (n_seeds,)
        Squared norm of the transverse part of the first layer, by step; and what theory says of it, empty where it says
        nothing.
    moved : float
        The greatest change of a transverse weight in training, of all networks.
    transverse, along : Tensor (n_seeds,)
        ``mean_x ||grad f(x)||_F^2`` off the subspace and in it.
    flips : Tensor (n_seeds,)
        Share of the test rows whose class changes under transverse noise.
    accuracy : Tensor (n_seeds,)
        On test rows in the subspace.
    """

    method: str
    norms: dict[int, Tensor]
    predicted: dict[int, Tensor]
    moved: float
    transverse: Tensor
    along: Tensor
    flips: Tensor
    accuracy: Tensor


@dataclass(frozen=True)
class OffDataTraining:
    """One way of training: factor of the first weights, l2 penalty, transverse noise, hidden layers."""

    start: float = 1.0
    l2: float = 0.0
    noise: float = 0.0
    n_layers: int = 1


def in_subspace(train: Tensor, test: Tensor, *, n_kept: int) -> tuple[Tensor, Tensor]:
    """Return rows in the axes of the training rows' principal directions, all but the first ones set to exactly 0.

    Parameters
    ----------
    train, test : Tensor (n_samples, n_in)
    n_kept : int
        Dimensions of the subspace.

    Raises
    ------
    InputError
        If there is no direction to keep, or none left out.
    """
    n_in = train.shape[1]
    if not 1 <= n_kept < n_in:
        raise InputError(
            f"expected a subspace of 1 to {n_in - 1} of the {n_in} dimensions, got {n_kept}; leave some out"
        )
    mean = train.mean(0)
    directions = torch.linalg.svd(train.double() - mean.double(), full_matrices=True).Vh.mT
    inside = torch.arange(n_in) < n_kept
    return tuple(((rows - mean).double() @ directions * inside).float() for rows in (train, test))


def predicted_norms(start: Tensor, *, l2: float, learning_rate: float, steps: Sequence[int]) -> dict[int, Tensor]:
    """Return the squared norms of transverse weights after some steps of gradient descent with an l2 penalty.

    The loss has no gradient there, so a step leaves ``1 - 2 l2 learning_rate`` of every weight, whatever the data,
    labels and other layers are.
    """
    left = 1 - 2 * l2 * learning_rate
    return {step: start * left ** (2 * step) for step in steps}


def off_the_data(
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    n_kept: int,
    n_hidden: int,
    n_classes: int,
    ways: Mapping[str, OffDataTraining],
    seeds: Sequence[int],
    recipe: PerceptronRecipe,
    test_noise: float = 0.5,
    at: Sequence[int] = (),
) -> Iterator[OffTheData]:
    """Yield what networks are off the subspace that their training rows fill, by how they were trained.

    Parameters
    ----------
    train, test : (X, y)
        From `in_subspace`.
    n_kept : int
        Dimensions of the subspace.
    n_hidden, n_classes : int
        Units of a hidden layer, and outputs.
    ways : mapping of str to OffDataTraining
    seeds : sequence of int
    recipe : PerceptronRecipe
        Of plain gradient descent.
    test_noise : float
        Standard deviation of transverse noise on test rows, in every direction.
    at : sequence of int
        Steps at which norms are taken, besides the first and the last.

    Raises
    ------
    InputError
        If the optimiser is not plain gradient descent, or as `training`.
    """
    if recipe.optimiser != "sgd":
        raise InputError(
            f"expected plain gradient descent, got optimiser {recipe.optimiser!r}; others move what has no gradient in "
            "ways of their own: pass 'sgd'"
        )
    X, y = test
    n_in = X.shape[1]
    off = (torch.arange(n_in) >= n_kept).float()
    draw = torch.Generator().manual_seed(min(seeds))
    shifted = X + test_noise * off * torch.randn(X.shape, generator=draw)
    looks = (0, *at)
    for method, way in ways.items():
        networks = Perceptrons.drawn((n_in, *[n_hidden] * way.n_layers, n_classes), seeds)
        networks = replace(networks, weights=(networks.weights[0] * way.start, *networks.weights[1:]))
        options: dict[str, Any] = {
            "recipe": recipe,
            "seeds": seeds,
            "setting": f"networks on a subspace, {method}",
            "at": looks,
        }
        options |= {"l2": torch.full((len(seeds),), way.l2), "noise": way.noise * off if way.noise else None}
        steps = dict(training(networks, *train, **options))
        after = steps[recipe.steps]
        norms = {step: _transverse(of_step, n_kept).square().sum((1, 2)) for step, of_step in steps.items()}
        theory: dict[str, Any] = {"l2": way.l2, "learning_rate": recipe.learning_rate, "steps": list(norms)}
        slopes = jacobians(after, X).double().square().sum(2).mean(1)
        yield OffTheData(
            method=method,
            norms=norms,
            predicted={} if way.noise else predicted_norms(norms[0], **theory),
            moved=float((_transverse(after, n_kept) - _transverse(networks, n_kept)).abs().max()),
            transverse=slopes[:, n_kept:].sum(1),
            along=slopes[:, :n_kept].sum(1),
            flips=(_classes(after, shifted) != _classes(after, X)).double().mean(1),
            accuracy=after.accuracy(X, y),
        )


def _transverse(networks: Perceptrons, n_kept: int) -> Tensor:
    return networks.weights[0][:, n_kept:].double()


@torch.no_grad()
def _classes(networks: Perceptrons, X: Tensor) -> Tensor:
    return networks.outputs(X)[-1].argmax(-1)
