"""Probes trained as published: a short run of SGD, for the columns of the book that say "as published"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.linear_probe._checks import DEFAULT_MEMORY_BYTES, check_positive, class_labels, finite_features
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._problems import Solution, Subsets, as_problems
from diffred_core.precision import full_precision

STATIONARY = 1e-6  # gradient entries below which even a run of fixed length counts as converged


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
    """

    epochs: int
    step_epochs: int
    batch_size: int
    weight_decay: float
    lr: float = 0.1
    momentum: float = 0.9
    decay: float = 0.1
    drop_last: bool = False


PUBLISHED: dict[str, SGDRecipe] = {
    "cifar": SGDRecipe(50, 10, 256, 5e-4),
    "cifar_resnet50": SGDRecipe(100, 20, 256, 5e-4),
    "flowers_pets": SGDRecipe(50, 10, 256, 1e-4),
    "flowers_pets_resnet50": SGDRecipe(100, 20, 256, 1e-4),
    "imagenet": SGDRecipe(25, 5, 512, 1e-4),
    "imagenet_resnet50": SGDRecipe(10, 1, 512, 1e-4),
    "places": SGDRecipe(50, 10, 1024, 5e-4),
    "cifar_regularised": SGDRecipe(20, 3, 1024, 5e-4),
    "flowers_pets_regularised": SGDRecipe(20, 3, 1024, 1e-4),
}
"""Recipes of Nanda et al. (2023) by task, from their released scripts (nvedant07/diffused-redundancy).

``_resnet50``: the runs of the ImageNet ResNet50 in the main figures, twice as long as those of all other networks,
except on ImageNet itself. ``_regularised``: the networks pre-trained with dropout or DeCov.
"""


@torch.no_grad()
def fit_sgd(
    X: Tensor,
    y: Tensor,
    *,
    subsets: Subsets | None = None,
    recipe: SGDRecipe = PUBLISHED["cifar"],
    seed: int | Sequence[int],
    n_classes: int | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> LinearProbe:
    """Train the probe of every subset by the published recipe, on features instead of images.

    Start and order of the rows are those of ``torch.manual_seed(seed); nn.Linear(k, n_classes)`` and
    ``torch.manual_seed(seed); torch.randperm(n_samples)`` every epoch, on the CPU: every problem equals its solo run.

    Differs from the published runs: features are fixed, where theirs saw augmented images; the last weights are
    returned, where theirs were the best of every fifth epoch on validation images.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        Not centred, not scaled.
    y : Tensor (n_samples,) of int64
    subsets : None, indices (k,), or several of them
        As in `fit_ridge`.
    recipe : SGDRecipe
        By default that of CIFAR; ``PUBLISHED[...]``, or your own.
    seed : int or (n_subsets,)
        One for all, or one for each subset.
    n_classes : int, optional
        By default one more than the largest label.
    memory_bytes : int
        Gathered features held at once.

    Returns
    -------
    LinearProbe
        `l2` is the weight decay, `iterations` the number of steps, `gradient_norm` that of mean cross-entropy
        ``+ weight decay/2 (||W||^2 + ||b||^2)`` over all rows: how far from its minimum the recipe stops.

    Raises
    ------
    InputError
        Features or labels as in `fit_logistic`; as many seeds as subsets are expected; no batch is left by `drop_last`.
    """
    X = finite_features(X)
    y, n_classes = class_labels(y, X, n_classes=n_classes)
    check_positive(memory_bytes, name="memory_bytes")
    _check_recipe(recipe, len(X))
    problems = as_problems(subsets, recipe.weight_decay, n_features=X.shape[1], device=X.device, positive=False)
    seeds = [seed] * len(problems.sizes) if isinstance(seed, int) else [int(s) for s in seed]
    if len(seeds) != len(problems.sizes):
        raise InputError(
            f"expected one seed, or one for each of {len(problems.sizes)} subsets, got {len(seeds)}; "
            "pass an int to give all the same"
        )
    solutions = []
    with full_precision(X.device):
        for at, features in problems.groups(lambda k: 2 * X.element_size() * k * len(X), memory_bytes):
            run = _Run(X[:, features].transpose(0, 1), y, n_classes, recipe, [seeds[i] for i in at.tolist()])
            solutions.append((at, run.train()))
    return problems.probe(solutions, n_classes)


def _check_recipe(recipe: SGDRecipe, n_samples: int) -> None:
    for name in ("epochs", "step_epochs", "batch_size", "lr"):
        check_positive(getattr(recipe, name), name=f"recipe.{name}")
    if recipe.drop_last and n_samples < recipe.batch_size:
        raise InputError(
            f"expected at least recipe.batch_size={recipe.batch_size} rows with drop_last, got {n_samples}, which "
            "leaves no batch; set drop_last=False"
        )


class _Run:
    """The probes of ``g`` subsets of one size, trained in step: ``X (g, n_samples, k)``."""

    def __init__(self, X: Tensor, y: Tensor, n_classes: int, recipe: SGDRecipe, seeds: list[int]):
        self.X, self.y, self.recipe, self.seeds = X.contiguous(), y, recipe, seeds
        starts = [_initial(X.shape[2], n_classes, seed) for seed in seeds]
        self.weight = torch.stack([weight for weight, _ in starts]).to(X)
        self.bias = torch.stack([bias for _, bias in starts]).to(X)

    def train(self) -> Solution:
        recipe, steps = self.recipe, 0
        momentum = [torch.zeros_like(self.weight), torch.zeros_like(self.bias)]
        for epoch, rows in self._batches():
            gradients = self._gradients(self._rows(rows), self.y[rows], self.weight, self.bias)
            lr = recipe.lr * recipe.decay ** (epoch // recipe.step_epochs)
            for parameter, velocity, gradient in zip((self.weight, self.bias), momentum, gradients, strict=True):
                velocity.mul_(recipe.momentum).add_(gradient)
                parameter.sub_(velocity, alpha=lr)
            steps += 1
        return self._solution(steps)

    def _batches(self) -> Iterator[tuple[int, Tensor]]:
        """Yield the epoch and the rows ``(g, b)`` of every step."""
        recipe, n = self.recipe, len(self.y)
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        stop = n - n % recipe.batch_size if recipe.drop_last else n
        for epoch in range(recipe.epochs):
            order = torch.stack([torch.randperm(n, generator=generator) for generator in generators])[:, :stop]
            for rows in order.split(recipe.batch_size, dim=1):
                yield epoch, rows.to(self.y.device)

    def _rows(self, rows: Tensor) -> Tensor:
        return self.X[torch.arange(len(rows), device=rows.device)[:, None], rows]

    def _gradients(self, X: Tensor, y: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        residual = torch.softmax(torch.baddbmm(bias[:, None], X, weight), -1)
        residual.scatter_add_(2, y[..., None], residual.new_full((), -1.0).expand(*y.shape, 1))
        residual /= y.shape[1]
        decay = self.recipe.weight_decay
        return X.mT @ residual + decay * weight, residual.sum(1) + decay * bias

    def _solution(self, steps: int) -> Solution:
        weight, bias = self.weight.double(), self.bias.double()
        norm = torch.stack([self._norm(p, weight[p : p + 1], bias[p : p + 1]) for p in range(len(weight))])
        return Solution(
            weight[None], bias[None], norm[None] <= STATIONARY, torch.full_like(norm, steps)[None].long(), norm[None]
        )

    def _norm(self, p: int, weight: Tensor, bias: Tensor) -> Tensor:
        gradients = self._gradients(self.X[p : p + 1].double(), self.y[None], weight, bias)
        return torch.stack([gradient.abs().max() for gradient in gradients]).max()


def _initial(k: int, n_classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return weight ``(k, n_classes)`` and bias as `torch.nn.Linear` draws them after ``torch.manual_seed(seed)``."""
    generator, bound = torch.Generator().manual_seed(seed), k**-0.5
    weight = torch.empty(n_classes, k).uniform_(-bound, bound, generator=generator)
    return weight.T, torch.empty(n_classes).uniform_(-bound, bound, generator=generator)
