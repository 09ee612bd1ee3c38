"""Probes trained as published: a short run of SGD or AdamW, for the columns of the book that say "as published"."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffred_core.checks import check_positive, finite_features
from diffred_core.errors import InputError
from diffred_core.linear_probe._checks import DEFAULT_MEMORY_BYTES, class_labels
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._problems import Subsets, as_problems
from diffred_core.linear_probe._recipes import PUBLISHED, PUBLISHED_TUNNEL, AdamWRecipe, Recipe, SGDRecipe
from diffred_core.linear_probe._training import Training, check_recipe, with_ones
from diffred_core.precision import full_precision


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
    return _fit(X, y, subsets, recipe, seed, n_classes, memory_bytes)


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
    return _fit(X, y, subsets, recipe, seed, n_classes, memory_bytes)


@torch.no_grad()
def _fit(
    X: Tensor,
    y: Tensor,
    subsets: Subsets | None,
    recipe: Recipe,
    seed: int | Sequence[int],
    n_classes: int | None,
    memory_bytes: int,
) -> LinearProbe:
    X = finite_features(X)
    y, n_classes = class_labels(y, X, n_classes=n_classes)
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
            run = Training(gathered, y[:, None], n_classes, recipe, seeds=chosen, owner=torch.arange(len(at)))
            for _ in run.epochs():
                pass
            solutions.append((at, run.solution()))
    return problems.probe(solutions, n_classes)
