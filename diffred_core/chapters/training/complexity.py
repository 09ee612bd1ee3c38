"""Geometric complexity of small networks: how steep they are where the data lie, by what they were trained with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from diffred_core.chapters.training.perceptrons import PerceptronRecipe, Perceptrons, training
from diffred_core.errors import InputError

L2, LABEL_NOISE, LEARNING_RATE, BATCH_SIZE = "l2", "label_noise", "learning_rate", "batch_size"
OTHER_LABELS = 2**20


@dataclass(frozen=True, eq=False)
class TrainedWith:
    """Networks that were trained with one strength of something.

    Attributes
    ----------
    what : str
        ``l2``, ``label_noise``, ``learning_rate`` or ``batch_size``.
    strength : float
    complexity, accuracy : Tensor (n_seeds,)
        On test rows.
    """

    what: str
    strength: float
    complexity: Tensor
    accuracy: Tensor


@torch.no_grad()
def network_complexity(networks: Perceptrons, X: Tensor) -> Tensor:
    """Return ``mean_x ||grad_x f(x)||_F^2`` of the logits f of every network (Dherin et al. 2022, definition 3.1).

    A linear ``f(x) = A x + b`` has exactly ``||A||_F^2``. c f has c^2 times as much, and so has f of inputs in units
    c times as large: the units of x belong to the number.

    Parameters
    ----------
    networks : Perceptrons
    X : Tensor (n_samples, n_in)

    Returns
    -------
    Tensor (n_networks,) of float64
    """
    return jacobians(networks, X).double().square().sum((2, 3)).mean(1)


@torch.no_grad()
def jacobians(networks: Perceptrons, X: Tensor) -> Tensor:
    """Return the Jacobian of the logits of every network at every row, (n_networks, n_samples, n_classes, n_in).

    That of a rectifier network is the product of its weights, less the units that are 0 at the row. Of a linear network
    it is that of one row, which all share.
    """
    hidden = networks.outputs(X)[:-1]
    jacobian = networks.weights[-1].mT.unsqueeze(1)
    for outputs, weight in zip(reversed(hidden), reversed(networks.weights[:-1]), strict=True):
        active = jacobian * (outputs > 0).unsqueeze(2)
        jacobian = (active.flatten(1, 2) @ weight.mT).unflatten(1, active.shape[1:3])
    return jacobian


def noisy_labels(y: Tensor, share: float, *, n_classes: int, seed: int) -> Tensor:
    """Return labels of which a share, at random, is another class at random.

    Raises
    ------
    InputError
        If `share` is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise InputError(f"expected label noise in [0, 1], got {share}; 0.2 puts every fifth label wrong")
    draw = torch.Generator().manual_seed(seed + OTHER_LABELS)
    wrong = torch.randperm(len(y), generator=draw)[: round(share * len(y))]
    other = torch.randint(1, n_classes, (len(wrong),), generator=draw)
    changed = y.clone()
    changed[wrong] = (y[wrong] + other) % n_classes
    return changed


def trained_with(
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    widths: Sequence[int],
    seeds: Sequence[int],
    recipe: PerceptronRecipe,
    l2: Sequence[float] = (0.0, 1e-4, 1e-3, 1e-2),
    label_noise: Sequence[float] = (0.0, 0.2, 0.4),
) -> Iterator[TrainedWith]:
    """Yield complexity and accuracy of networks by the strength of an l2 penalty, and by the share of wrong labels.

    Networks of one seed have the same first weights and the same batches.

    Parameters
    ----------
    train, test : (X, y)
    widths : sequence of int
        Of the inputs, the hidden layers and the classes.
    seeds : sequence of int
    recipe : PerceptronRecipe
    l2, label_noise : sequence of float
        The one without the other.

    Raises
    ------
    InputError
        As `training` and `noisy_labels`; a negative l2.
    """
    if any(strength < 0 for strength in l2):
        raise InputError(f"expected l2 of at least 0, got {min(l2)}; 0 leaves it out")
    X, y = train
    jobs = [(L2, strength) for strength in l2] + [(LABEL_NOISE, share) for share in label_noise]
    labels = torch.stack(
        [
            noisy_labels(y, value if what == LABEL_NOISE else 0.0, n_classes=widths[-1], seed=seed)
            for what, value in jobs
            for seed in seeds
        ]
    )
    penalty = torch.tensor([value if what == L2 else 0.0 for what, value in jobs]).repeat_interleave(len(seeds))
    of_all = [*seeds] * len(jobs)
    options: dict[str, Any] = {"recipe": recipe, "seeds": of_all, "setting": "networks with l2 and label noise"}
    *_, (_, networks) = training(Perceptrons.drawn(widths, of_all), X, labels, l2=penalty, **options)
    measured = (network_complexity(networks, test[0]), networks.accuracy(*test))
    for (what, value), *of_job in zip(jobs, *(m.split(len(seeds)) for m in measured), strict=True):
        yield TrainedWith(what, value, *of_job)


def trained_by(
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    widths: Sequence[int],
    seeds: Sequence[int],
    recipe: PerceptronRecipe,
    learning_rate: Sequence[float] = (0.05, 0.2, 0.4),
    batch_size: Sequence[int] = (15, 60, 240),
) -> Iterator[TrainedWith]:
    """Yield complexity and accuracy of networks by learning rate and by batch size.

    Learning rates are compared at one product of rate and steps, that of `recipe`: the same time of the gradient flow
    that they follow more or less closely. Batch sizes are compared at one number of steps.

    Parameters
    ----------
    train, test, widths, seeds
        As in `trained_with`.
    recipe : PerceptronRecipe
        What is not changed; of plain gradient descent.
    learning_rate, batch_size : sequence

    Raises
    ------
    InputError
        As `PerceptronRecipe` and `training`.
    """
    faster = [replace(recipe, learning_rate=rate) for rate in learning_rate]
    time = recipe.steps * recipe.learning_rate
    recipes = [(LEARNING_RATE, replace(one, steps=round(time / one.learning_rate))) for one in faster]
    recipes += [(BATCH_SIZE, replace(recipe, batch_size=size)) for size in batch_size]
    for what, changed in recipes:
        strength = float(getattr(changed, what))
        options: dict[str, Any] = {"recipe": changed, "seeds": seeds, "setting": f"networks with {what} {strength:g}"}
        *_, (_, networks) = training(Perceptrons.drawn(widths, seeds), *train, **options)
        yield TrainedWith(what, strength, network_complexity(networks, test[0]), networks.accuracy(*test))
