"""Toy models of superposition in numbers, and the dimensions that classes have on few features of a frozen layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor

from diffred_core import geometry, moments, subsets
from diffred_core.chapters.training import bridge, frame, names, superposition
from diffred_core.chapters.training import names_parts as of
from diffred_core.chapters.training.superposition import ToyModels
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "superposition"
RANKS = ("largest", "2nd", "3rd")


def superposition_by_sparsity(
    features: TaskFeatures,
    *,
    n_toy_features: int = 5,
    n_toy_dims: int = 2,
    densities: Sequence[float] = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02),
    importance_decay: float = 0.8,
    n_steps: int = 3000,
    learning_rate: float = 1e-2,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Train toy models of features that are more or less sparse, of falling importance and all alike.

    Parameters
    ----------
    features : TaskFeatures
        For the bridge.
    n_toy_features, n_toy_dims : int
        Features, and fewer dimensions.
    densities : sequence of float
        Probability that a feature is there: 1 less the sparsity.
    importance_decay, n_steps, learning_rate
        As in `superposition.trained_toys`.
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: metrics ``dimensionality`` of the features, the largest first, ``represented`` and ``toy_loss``
        by 1 / density (column at), ``recipe`` the importance; at the greatest and the least density
        ``features_beyond_dimensions``, ``loss_over_that_alone`` and, of features all alike, the greatest
        ``distance_from_m_over_n``. Of the bridge ``dimensions_per_class`` beside accuracies.

    Raises
    ------
    InputError
        As `superposition.trained_toys`.
    """
    frame.check_at_least(1, n_steps=n_steps, n_seeds=n_seeds)
    chosen = sorted(densities, reverse=True)
    options: dict[str, Any] = {
        "n_features": n_toy_features,
        "n_dims": n_toy_dims,
        "densities": chosen,
        "steps": n_steps,
    }
    options |= {"seeds": range(seed, seed + n_seeds), "learning_rate": learning_rate}
    decays = {of.FALLING: importance_decay, of.ALIKE: 1.0}
    toys = {name: superposition.trained_toys(importance_decay=decay, **options) for name, decay in decays.items()}

    def rows_of(s: int) -> Iterator[Row]:
        for recipe, of_recipe in toys.items():
            importance = decays[recipe] ** torch.arange(n_toy_features)
            alone = [superposition.loss_without_superposition(p, importance, n_toy_dims) for p in chosen]
            yield from _rows(of_recipe, s - seed, alone, recipe=recipe)

    rules = {of.PROJECTION: random_directions, of.EVEN_PROJECTION: even_directions}
    kept = [
        *bridge.rows(features, rules, analysis=ANALYSIS, n_seeds=n_seeds, seed=seed),
        *class_rows(features, n_seeds=n_seeds, seed=seed),
    ]
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


def random_directions(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return random orthonormal directions of the layer (d, m), which mix all features: a `bridge.Rule`."""
    n = min(max(names.SIZES), X.shape[1])
    draw = torch.Generator().manual_seed(seed)
    directions: Tensor = torch.linalg.qr(torch.randn(X.shape[1], n, generator=draw, dtype=X.dtype)).Q
    return directions


def even_directions(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return the same of the layer with features of unit spread, so that large ones do not lead: a `bridge.Rule`."""
    spread = X.std(0, correction=0)
    scale = torch.where(spread > 0, 1 / spread.clamp_min(1e-300), 0.0)
    return scale[:, None] * random_directions(X, y, seed)


def class_rows(features: TaskFeatures, *, n_seeds: int, seed: int) -> Iterator[Row]:
    """Yield the dimensions that a class mean has to itself, mean over classes, on random features and directions.

    C means about their own mean span at most C - 1 dimensions, and k features k: no more than ``min(k, C - 1) / C``.
    """
    shared = shared_columns(features, experiment=ANALYSIS, split="train", layer=names.LAYER)
    sizes = [k for k in names.SIZES if k < features.n_features] + [features.n_features]
    for repeat, s in enumerate(range(seed, seed + n_seeds)):
        X, y = bridge.half_of(features, seed=s)
        rows = moments.from_features(X, y, n_classes=features.n_classes, quartic=False)
        centres = geometry.class_centres(rows)
        order, turned = subsets.random_order(features.n_features, seed=s), centres @ random_directions(X, y, s)
        for k in sizes:
            kept = {names.RANDOM: centres[:, order[:k]]}
            kept |= {of.PROJECTION: turned[:, :k]} if k <= turned.shape[1] else {}
            row = shared | {"seed": s, "repeat": repeat, "n_selected": k, "metric": of.CLASS_DIMENSIONS}
            for method, vectors in kept.items():
                # features that never vary have no means to tell apart
                mean = float(geometry.feature_dimensionality(vectors).mean()) if vectors.any() else 0.0
                yield row | {"method": method, "value": mean}
            most = min(k, features.n_classes - 1) / features.n_classes
            yield row | {"method": of.MOST_DIMENSIONS, "value": most}


def _rows(toys: ToyModels, i: int, alone: Sequence[float], *, recipe: str) -> Iterator[Row]:
    inverse = [1 / p for p in toys.densities]
    D = toys.dimensionality[:, i].sort(dim=1, descending=True).values
    n_features, n_dims = toys.weights.shape[2:]
    for rank in range(n_features):
        label = RANKS[rank] if rank < len(RANKS) else f"{rank + 1}th"
        yield from frame.curve(of.DIMENSIONALITY, inverse, D[:, rank], recipe=recipe, label=label)
    yield from frame.curve(of.REPRESENTED, inverse, toys.represented[:, i].double(), recipe=recipe)
    yield from frame.curve(of.TOY_LOSS, inverse, toys.losses[:, i], recipe=recipe)
    yield from frame.curve(of.TOY_LOSS, inverse, alone, recipe=recipe, method=names.THEORY)
    for label, at in ((of.DENSE, 0), (of.SPARSE, -1)):
        row = {"recipe": recipe, "label": label}
        yield row | {"metric": of.BEYOND, "value": float(toys.represented[at, i]) - n_dims}
        yield row | {"metric": of.OVER_ALONE, "value": float(toys.losses[at, i]) / alone[at]}
        off = float((D[at] - n_dims / n_features).abs().max())
        yield row | {"metric": of.FROM_POLYTOPE, "value": off}
