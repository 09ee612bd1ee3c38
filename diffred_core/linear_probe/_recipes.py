"""Published ways to train a probe by mini-batches: what a run starts from, in which order it reads, how it steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Update = Callable[[Tensor, Tensor, int], None]
"""Changes parameters in place: ``(theta, gradient of the loss, epoch)``."""


@dataclass(frozen=True)
class SGDRecipe:
    """Cross-entropy by SGD with momentum and a step schedule; no standardisation, no search.

    Attributes
    ----------
    epochs, step_epochs : int
        Epochs, and epochs after which the learning rate is multiplied by `decay` each time.
    batch_size : int
    weight_decay : float
        On weights and bias, as `torch.optim.SGD` has it.
    lr, momentum, decay : float
    drop_last : bool
        Whether the last, smaller batch of an epoch is left out. The published steps per epoch (four for 1,020
        images in batches of 256, one in batches of 1,024) are those of False.
    label_smoothing : float
    reshuffle : bool
        Whether every epoch reads the rows in a new order.
    """

    epochs: int
    step_epochs: int
    batch_size: int
    weight_decay: float
    lr: float = 0.1
    momentum: float = 0.9
    decay: float = 0.1
    drop_last: bool = False
    label_smoothing: float = 0.0
    reshuffle: bool = True

    @property
    def optimizer(self) -> str:
        """Its name, for readers."""
        return f"SGD, momentum {self.momentum:g}"

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        return self.lr * self.decay ** (epoch // self.step_epochs)

    def positive(self) -> tuple[str, ...]:
        """Return the names of the options that must be above 0."""
        return "epochs", "step_epochs", "batch_size", "lr"

    def start(self, k: int, n_classes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return weight and bias as `torch.nn.Linear` draws them."""
        return _linear(k, n_classes, generator)

    def update(self) -> Update:
        """Return SGD with momentum, its learning rate stepped down by epochs."""
        velocity: list[Tensor] = []

        def step(theta: Tensor, gradient: Tensor, epoch: int) -> None:
            if not velocity:
                velocity.append(torch.zeros_like(theta))
            velocity[0].mul_(self.momentum).add_(gradient).add_(theta, alpha=self.weight_decay)
            theta.sub_(velocity[0], alpha=self.learning_rate(epoch))

        return step

    def penalty(self) -> float:
        """Return the weight of ``1/2 ||theta||^2`` in the loss whose gradient certifies the result: the decay."""
        return self.weight_decay


@dataclass(frozen=True)
class AdamWRecipe:
    """Label-smoothed cross-entropy by AdamW at a flat learning rate, from small normal weights.

    Attributes
    ----------
    lr, weight_decay : float
        The decay is decoupled, as `torch.optim.AdamW` has it, on weights and bias.
    batch_size, epochs : int
    label_smoothing : float
    init_std : float
        Standard deviation of the first weights; the first bias is 0.
    betas : (float, float)
    eps : float
    drop_last, reshuffle
        As in `SGDRecipe`. The published runs read the rows in one order, fixed once.
    """

    lr: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 128
    epochs: int = 30
    label_smoothing: float = 0.1
    init_std: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    drop_last: bool = False
    reshuffle: bool = False

    @property
    def optimizer(self) -> str:
        """Its name, for readers."""
        return "AdamW"

    def learning_rate(self, _epoch: int) -> float:
        """Return the learning rate, which does not change."""
        return self.lr

    def positive(self) -> tuple[str, ...]:
        """Return the names of the options that must be above 0."""
        return "epochs", "batch_size", "lr", "init_std", "eps"

    def start(self, k: int, n_classes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return normal weights and a bias of 0, drawn after `torch.nn.Linear` has drawn its own, as published."""
        _, bias = _linear(k, n_classes, generator)
        weight = torch.empty(n_classes, k).normal_(0.0, self.init_std, generator=generator)
        return weight.T, torch.zeros_like(bias)

    def update(self) -> Update:
        """Return AdamW (Loshchilov & Hutter 2019, algorithm 2)."""
        (beta1, beta2), steps = self.betas, 0
        averages: list[Tensor] = []

        def step(theta: Tensor, gradient: Tensor, _epoch: int) -> None:
            nonlocal steps
            if not averages:
                averages.extend([torch.zeros_like(theta), torch.zeros_like(theta)])
            steps += 1
            averages[0].lerp_(gradient, 1 - beta1)
            averages[1].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            scale = (averages[1] / (1 - beta2**steps)).sqrt_().add_(self.eps)
            theta.mul_(1 - self.lr * self.weight_decay)
            theta.addcdiv_(averages[0], scale, value=-self.lr / (1 - beta1**steps))

        return step

    def penalty(self) -> float:
        """Return 0: a decoupled decay is the gradient of no loss."""
        return 0.0


def _linear(k: int, n_classes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return weight ``(k, n_classes)`` and bias as `torch.nn.Linear` draws them."""
    bound = k**-0.5
    weight = torch.empty(n_classes, k).uniform_(-bound, bound, generator=generator)
    return weight.T, torch.empty(n_classes).uniform_(-bound, bound, generator=generator)


Recipe = SGDRecipe | AdamWRecipe


def recipe_trace(recipe: Recipe, *, steps: int) -> dict[str, object]:
    """Return what a run of `recipe` did, JSON values only, for the provenance of a table.

    Parameters
    ----------
    recipe : SGDRecipe or AdamWRecipe
    steps : int
        Steps that the run took: `LinearProbe.iterations`.

    Returns
    -------
    dict
        optimizer, epochs, learning_rates (the rate by the epoch, counted from 0, from which on it holds), weight_decay,
        label_smoothing, batch_size, steps_per_epoch, steps.
    """
    rates = [recipe.learning_rate(epoch) for epoch in range(recipe.epochs)]
    changes = [epoch for epoch, rate in enumerate(rates) if epoch == 0 or rate != rates[epoch - 1]]
    return {
        "optimizer": recipe.optimizer,
        "epochs": recipe.epochs,
        "learning_rates": {str(epoch): rates[epoch] for epoch in changes},
        "weight_decay": recipe.weight_decay,
        "label_smoothing": recipe.label_smoothing,
        "batch_size": recipe.batch_size,
        "steps_per_epoch": steps // recipe.epochs,
        "steps": steps,
    }
