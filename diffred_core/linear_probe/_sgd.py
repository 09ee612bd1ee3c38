"""Probes trained as published: a short run of SGD or AdamW, for the columns of the book that say "as published"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from diffred_core.checks import check_positive, finite_features
from diffred_core.errors import InputError
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._problems import DEFAULT_MEMORY_BYTES, Solution, Subsets, as_problems, training_labels
from diffred_core.linear_probe._published import PUBLISHED, PUBLISHED_TUNNEL
from diffred_core.linear_probe._recipes import AdamWRecipe, Recipe, SGDRecipe
from diffred_core.precision import full_precision

STATIONARY = 1e-6  # gradient entries below which even a run of fixed length counts as converged


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
        Features that are not finite, labels out of range or of one class only, not as many seeds as subsets, no batch
        left by `drop_last`.

    Notes
    -----
    A class without rows (`n_classes` above the largest label) is no error: its score is only pushed down.
    """
    return _fit(X, y, subsets, recipe=recipe, seed=seed, n_classes=n_classes, memory_bytes=memory_bytes)


def fit_adamw(
    X: Tensor,
    y: Tensor,
    *,
    subsets: Subsets | None = None,
    recipe: AdamWRecipe = PUBLISHED_TUNNEL["cnn"],
    seed: int | Sequence[int],
    n_classes: int | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> LinearProbe:
    """Train the probe of every subset by AdamW, as Harun et al. (2024) train theirs; the last weights are returned.

    The start is that of ``torch.manual_seed(seed); nn.Linear(k, n_classes).weight.normal_(0, 0.01)``, the one order of
    the rows that of ``torch.manual_seed(seed); torch.randperm(n_samples)``. `probe_layers_by_epoch` gives the
    accuracy after every epoch.

    Parameters
    ----------
    X, y, subsets, seed, n_classes, memory_bytes
        As in `fit_sgd`.
    recipe : AdamWRecipe
        By default that of the paper's VGG and ResNet networks; ``PUBLISHED_TUNNEL[...]``, or your own.

    Returns
    -------
    LinearProbe
        `l2` is the (decoupled) weight decay, `gradient_norm` that of mean label-smoothed cross-entropy over all rows.

    Raises
    ------
    InputError
        As `fit_sgd`.
    """
    return _fit(X, y, subsets, recipe=recipe, seed=seed, n_classes=n_classes, memory_bytes=memory_bytes)


@torch.no_grad()
def _fit(
    X: Tensor,
    y: Tensor,
    subsets: Subsets | None,
    *,
    recipe: Recipe,
    seed: int | Sequence[int],
    n_classes: int | None,
    memory_bytes: int,
) -> LinearProbe:
    X = finite_features(X)
    y, n_classes = training_labels(y, X, n_classes=n_classes)
    check_positive(memory_bytes, name="memory_bytes")
    check_recipe(recipe, len(X))
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
            gathered = with_ones(X[:, features].transpose(0, 1))
            chosen = [seeds[i] for i in at.tolist()]
            run = ProbeRuns(gathered, y[:, None], n_classes, recipe, seeds=chosen, owner=torch.arange(len(at)))
            for _ in run.epochs():
                pass
            solutions.append((at, run.solution()))
    return problems.probe(solutions)


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
    return torch.cat([X, X.new_ones(*X.shape[:-1], 1)], -1).contiguous()


class ProbeRuns:
    """Runs ``u`` of one recipe in step; each trains one probe for each of ``t`` targets on the rows it reads.

    Targets that share a run share its start, its order of rows and its matrix products, and nothing else. `X` are
    feature sets with a column of ones, ``(s, n_samples, k + 1)``, `y` the labels ``(n_samples, t)``; run ``i`` starts
    and orders its rows by ``seeds[i]`` and reads ``X[owner[i]]``. Weights are class-major: with few classes both
    products of a step are then four times as fast on a CPU (256 rows, 10 classes, k=155 to 1,281).
    """

    def __init__(
        self, X: Tensor, y: Tensor, n_classes: int, recipe: Recipe, *, seeds: Sequence[int], owner: Tensor
    ) -> None:
        self.X, self.y, self.n_classes, self.recipe = X, y, n_classes, recipe
        self.seeds, self.owner, self.steps = list(seeds), owner.to(X.device), 0
        starts = []
        for seed in self.seeds:
            weight, bias = recipe.start(X.shape[2] - 1, n_classes, torch.Generator().manual_seed(seed))
            starts.append(torch.cat([weight.T, bias[:, None]], 1).repeat(y.shape[1], 1))
        self.theta = torch.stack(starts).to(X)  # (u, t * n_classes, k + 1)

    def epochs(self) -> Iterator[int]:
        """Train epoch after epoch; yield the number of each when it is done."""
        update = self.recipe.update()
        for epoch, order in enumerate(self._orders()):
            for rows in order.split(self.recipe.batch_size, dim=1):
                gradient = self._gradient(self._rows(rows), self.y[rows], self.theta)
                update(self.theta, gradient, epoch)
                self.steps += 1
            yield epoch

    def predictions(self, X: Tensor) -> Tensor:
        """Return the classes of the rows of ``X (s, m, k + 1)``, ``(u, m, t)``."""
        runs = zip(self.owner.tolist(), self.theta, strict=True)
        scores = ((theta @ X[s].T).unflatten(0, (-1, self.n_classes)) for s, theta in runs)  # (t, n_classes, m)
        return torch.stack([score.max(1).indices.T for score in scores])  # measured: faster than argmax along columns

    def solution(self) -> Solution:
        """Return the probes of the runs for a single target, with the gradient of the loss over all rows."""
        theta = self.theta.double()
        norm = torch.stack([self._norm(run, theta[run : run + 1]) for run in range(len(theta))])
        steps = torch.full_like(norm, self.steps).long()
        weight, bias = theta[None, ..., :-1].mT, theta[None, ..., -1]
        return Solution(weight, bias, norm[None] <= STATIONARY, steps[None], norm[None])

    def _orders(self) -> Iterator[Tensor]:
        """Yield the rows of every epoch, ``(u, rows read)``."""
        n, recipe = len(self.y), self.recipe
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        stop = n - n % recipe.batch_size if recipe.drop_last else n
        for epoch in range(recipe.epochs):
            if epoch == 0 or recipe.reshuffle:
                order = torch.stack([torch.randperm(n, generator=generator) for generator in generators])[:, :stop]
            yield order.to(self.y.device)

    def _rows(self, rows: Tensor) -> Tensor:
        """Return what the runs read of their features, ``(u, b, k + 1)`` for ``rows (u, b)``."""
        places = (self.owner[:, None] * self.X.shape[1] + rows).flatten()
        return self.X.flatten(0, 1).index_select(0, places).view(*rows.shape, -1)

    def _gradient(self, X: Tensor, y: Tensor, theta: Tensor) -> Tensor:
        """Return the gradient of mean label-smoothed cross-entropy for ``X (u, b, k + 1), y (u, b, t)``."""
        smooth = self.recipe.label_smoothing
        residual = torch.softmax((theta @ X.mT).unflatten(1, (-1, self.n_classes)), 2)  # (u, t, n_classes, b)
        if smooth:
            residual -= smooth / self.n_classes
        label = y.mT[:, :, None]
        residual.scatter_add_(2, label, residual.new_full((), smooth - 1).expand(label.shape))
        gradient: Tensor = (residual.flatten(1, 2) / X.shape[1]) @ X
        return gradient

    def _norm(self, run: int, theta: Tensor) -> Tensor:
        X = self.X[self.owner[run]][None].double()
        return (self._gradient(X, self.y[None], theta) + self.recipe.penalty() * theta).abs().max()
