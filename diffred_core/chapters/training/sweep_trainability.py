"""Batch entropy and whether deep networks can be trained, in numbers; and the entropy of every feature of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from torch import Tensor

from diffred_core import geometry, moments
from diffred_core.chapters.training import bridge, frame, names, trainability
from diffred_core.chapters.training import names_parts as of
from diffred_core.chapters.training import perceptrons as first
from diffred_core.chapters.training.frame import PixelRows
from diffred_core.chapters.training.perceptrons import PerceptronRecipe
from diffred_core.chapters.training.trainability import DeepNetworks
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "trainability"
KINDS = {
    (first.HE, trainability.PLAIN): of.HE,
    (first.TORCH, trainability.PLAIN): of.TORCH,
    (first.TORCH, trainability.REGULARISED): of.REGULARISED,
}
RESOLVED = 1e-6  # an entropy below is rounding of float32


def trainability_of_depth(
    features: TaskFeatures,
    pixels: PixelRows,
    *,
    width: int = 100,
    depths: Sequence[int] = (5, 15, 30),
    n_steps: int = 200,
    learning_rate: float = 1e-3,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Train deep networks without shortcuts or norms, from two kinds of first weights and with entropy in the loss.

    Parameters
    ----------
    features : TaskFeatures
        For the bridge.
    pixels : PixelRows
        What the networks learn.
    width : int
        Units of every hidden layer.
    depths : sequence of int
        Hidden layers.
    n_steps, learning_rate
        Of Adam, in batches of 60.
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: metric ``batch_entropy`` of the deepest networks before training, by layer (column at), and
        ``accuracy_by_depth``, ``label`` the first weights; and by depth ``accuracy_above_chance``, chance the share of
        the largest class, and ``theory_error``, the mean of ``|log(H / predicted)|`` over layers that float32 resolves.

    Raises
    ------
    InputError
        As `trainability.trained_deep`.
    """
    frame.check_at_least(1, width=width, depths=depths, n_steps=n_steps, n_seeds=n_seeds)
    recipe = PerceptronRecipe(steps=n_steps, learning_rate=learning_rate)
    train, test = pixels.rows32
    options: dict[str, Any] = {
        "width": width,
        "depths": sorted(depths),
        "seeds": range(seed, seed + n_seeds),
        "recipe": recipe,
    }
    done = list(trainability.trained_deep(train, test, n_classes=pixels.n_classes, **options))
    chance = float(test[1].bincount().max()) / len(test[1])
    rules = {of.MOST_ENTROPY: most_entropy, of.LEAST_ENTROPY: least_entropy}
    kept = bridge.rows(features, rules, analysis=ANALYSIS, n_seeds=n_seeds, seed=seed)
    rows_of = lambda s: _rows(done, s - seed, chance)  # noqa: E731
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


def most_entropy(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return features by falling batch entropy, which is by falling variance: a `bridge.Rule`."""
    return geometry.feature_entropy(moments.from_features(X, quartic=False)).argsort(descending=True)


def least_entropy(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return features by rising batch entropy: a `bridge.Rule`."""
    return most_entropy(X, y, seed).flip(0)


def _rows(done: Sequence[DeepNetworks], i: int, chance: float) -> Iterator[Row]:
    deepest = max(one.depth for one in done)
    for one in done:
        words, layers = KINDS[one.initial, one.objective], list(range(1, one.depth + 1))
        accuracy = float(one.accuracy[i])
        yield {"metric": of.DEPTH_ACCURACY, "at": float(one.depth), "label": words, "value": accuracy}
        row = {"recipe": words, "label": of.DEEPEST if one.depth == deepest else f"{one.depth} layers"}
        yield row | {"metric": of.ABOVE_CHANCE, "value": accuracy - chance}
        if one.objective != trainability.PLAIN:
            continue
        resolved = one.predicted > RESOLVED
        error = (one.before[i] / one.predicted)[resolved].log().abs().mean()
        yield row | {"metric": of.THEORY_ERROR, "value": float(error)}
        if one.depth == deepest:
            shown = one.before[i].clamp_min(0)
            yield from _positive(layers, shown, label=words)
            yield from _positive(layers, one.predicted, label=words, method=names.THEORY)


def _positive(layers: Sequence[int], values: Tensor, **columns: object) -> Iterator[Row]:
    """Yield the curve of entropies that float32 resolves: on a logarithmic axis there is no 0."""
    kept = [(layer, float(value)) for layer, value in zip(layers, values, strict=True) if value > RESOLVED]
    if kept:
        places, entropies = zip(*kept, strict=True)
        yield from frame.curve(of.ENTROPY, places, entropies, **columns)
