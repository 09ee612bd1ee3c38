"""One mini-batch run for many probes of one width at once: every problem equals its solo run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from diffred_core.checks import check_positive
from diffred_core.errors import InputError
from diffred_core.linear_probe._problems import Solution
from diffred_core.linear_probe._recipes import Recipe

STATIONARY = 1e-6  # gradient entries below which even a run of fixed length counts as converged


def check_recipe(recipe: Recipe, n_samples: int) -> None:
    """Refuse a recipe that takes no step."""
    for name in recipe.positive():
        check_positive(getattr(recipe, name), name=f"recipe.{name}")
    if not 0 <= recipe.label_smoothing < 1:
        raise InputError(f"expected recipe.label_smoothing in [0, 1), got {recipe.label_smoothing}; 0.1 is usual")
    if recipe.drop_last and n_samples < recipe.batch_size:
        raise InputError(
            f"expected at least recipe.batch_size={recipe.batch_size} rows with drop_last, got {n_samples}, which "
            "leaves no batch; set drop_last=False"
        )


def with_ones(X: Tensor) -> Tensor:
    """Return ``X (..., k)`` with a last column of ones, which the bias reads."""
    return torch.cat([X, X.new_ones(*X.shape[:-1], 1)], -1)


class Training:
    """Runs ``u`` of one recipe in step; each trains one probe for each of ``t`` targets on the rows it reads.

    Targets that share a run share its start, its order of rows and its matrix products, and nothing else.

    Parameters
    ----------
    X : Tensor (s, n_samples, k + 1)
        Feature sets, with a column of ones.
    y : LongTensor (n_samples, t)
    n_classes : int
        Of every target.
    recipe : Recipe
    seeds : (u,)
        Of start and order.
    owner : LongTensor (u,)
        Which of X each run reads.
    """

    def __init__(
        self, X: Tensor, y: Tensor, n_classes: int, recipe: Recipe, *, seeds: Sequence[int], owner: Tensor
    ) -> None:
        self.X, self.y, self.n_classes, self.recipe = X, y, n_classes, recipe
        self.seeds, self.owner, self.steps = list(seeds), owner.to(X.device), 0
        starts = []
        for seed in self.seeds:
            weight, bias = recipe.start(X.shape[2] - 1, n_classes, torch.Generator().manual_seed(seed))
            starts.append(torch.cat([weight, bias[None]]).repeat(1, y.shape[1]))
        self.theta = torch.stack(starts).to(X)  # (u, k + 1, t * n_classes)

    def epochs(self) -> Iterator[int]:
        """Train epoch after epoch; yield the number of each when it is done."""
        update = self.recipe.update()
        for epoch, order in enumerate(self._orders()):
            for rows in order.split(self.recipe.batch_size, dim=1):
                gradient = self._gradient(self.X[self.owner[:, None], rows], self.y[rows], self.theta)
                update(self.theta, gradient, epoch)
                self.steps += 1
            yield epoch

    def predictions(self, X: Tensor) -> Tensor:
        """Return the classes of the rows of ``X (s, m, k + 1)``, ``(u, m, t)``."""
        scores = [X[s] @ theta for s, theta in zip(self.owner.tolist(), self.theta, strict=True)]
        return torch.stack([one.unflatten(1, (-1, self.n_classes)).argmax(2) for one in scores])

    def solution(self) -> Solution:
        """Return the probes of the runs for a single target, with the gradient of the loss over all rows."""
        theta = self.theta.double()
        norm = torch.stack([self._norm(run, theta[run : run + 1]) for run in range(len(theta))])
        steps = torch.full_like(norm, self.steps).long()
        return Solution(theta[None, :, :-1], theta[None, :, -1], norm[None] <= STATIONARY, steps[None], norm[None])

    def _orders(self) -> Iterator[Tensor]:
        """Yield the rows of every epoch, ``(u, rows read)``."""
        n, recipe = len(self.y), self.recipe
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        stop = n - n % recipe.batch_size if recipe.drop_last else n
        for epoch in range(recipe.epochs):
            if epoch == 0 or recipe.reshuffle:
                order = torch.stack([torch.randperm(n, generator=generator) for generator in generators])[:, :stop]
            yield order.to(self.y.device)

    def _gradient(self, X: Tensor, y: Tensor, theta: Tensor) -> Tensor:
        """Return the gradient of mean label-smoothed cross-entropy for ``X (u, b, k + 1), y (u, b, t)``."""
        smooth = self.recipe.label_smoothing
        residual = torch.softmax((X @ theta).unflatten(2, (-1, self.n_classes)), -1)
        if smooth:
            residual -= smooth / self.n_classes
        residual.scatter_add_(3, y[..., None], residual.new_full((), smooth - 1).expand(*y.shape, 1))
        return X.mT @ (residual.flatten(2) / X.shape[1])

    def _norm(self, run: int, theta: Tensor) -> Tensor:
        X = self.X[self.owner[run]][None].double()
        return (self._gradient(X, self.y[None], theta) + self.recipe.penalty() * theta).abs().max()
