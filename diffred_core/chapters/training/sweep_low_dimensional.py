"""Networks on data of few dimensions in numbers, and probes on a frozen layer that few rows do not span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor

from diffred_core import subsets
from diffred_core.chapters.training import bridge, frame, low_dimensional, names
from diffred_core.chapters.training import names_parts as of
from diffred_core.chapters.training.frame import PixelRows
from diffred_core.chapters.training.low_dimensional import OffDataTraining, OffTheData
from diffred_core.chapters.training.perceptrons import PerceptronRecipe
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "low_dimensional"
ROUNDING = 1e-10  # of the largest squared singular value


def low_dimensional_data(
    features: TaskFeatures,
    pixels: PixelRows,
    *,
    n_kept: int = 20,
    n_hidden: int = 128,
    n_steps: int = 600,
    learning_rate: float = 0.2,
    l2: float = 1e-3,
    noise: float = 0.5,
    row_counts: Sequence[int] = (20, 50, 100, 200, 400),
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Train networks on images in a subspace of their pixels, in five ways, and look at them off it.

    Parameters
    ----------
    features : TaskFeatures
        For the bridge.
    pixels : PixelRows
        What the networks learn, projected on the first `n_kept` principal directions.
    n_kept : int
        Dimensions of the subspace.
    n_hidden : int
        Units of a hidden layer.
    n_steps, learning_rate
        Of plain gradient descent, in batches of 60.
    l2, noise : float
        Strengths of two of the ways; `noise` also is what test rows get off the subspace.
    row_counts : sequence of int
        Training rows of the bridge.
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: metric ``transverse_norm`` of the first layer, squared and as a share of the first one, by step
        (column at), and numbers ``moved``, ``flips``, ``transverse_share``, ``subspace_accuracy`` and ``decay_error``,
        ``recipe`` the way. Of the bridge ``accuracy`` and ``unreached_share``, mean over test rows, by the number of
        training rows (column at).

    Raises
    ------
    InputError
        As `low_dimensional.in_subspace` and `off_the_data`.
    """
    frame.check_at_least(1, n_hidden=n_hidden, n_seeds=n_seeds)
    frame.check_at_least(2, row_counts=row_counts)
    (X, y), (test_X, test_y) = pixels.rows32
    train, test = low_dimensional.in_subspace(X, test_X, n_kept=n_kept)
    ways = {
        of.PLAIN: OffDataTraining(),
        of.SMALL_START: OffDataTraining(start=0.1),
        of.DECAY: OffDataTraining(l2=l2),
        of.NOISE: OffDataTraining(noise=noise),
        of.DEEPER: OffDataTraining(n_layers=4),
    }
    recipe = PerceptronRecipe(steps=n_steps, learning_rate=learning_rate, optimiser="sgd")
    options: dict[str, Any] = {"n_kept": n_kept, "n_hidden": n_hidden, "n_classes": pixels.n_classes, "recipe": recipe}
    options |= {"ways": ways, "seeds": range(seed, seed + n_seeds), "test_noise": noise, "at": frame.places(n_steps)}
    done = list(low_dimensional.off_the_data((train, y), (test, test_y), **options))
    rows_of = lambda s: (row for one in done for row in _rows(one, s - seed))  # noqa: E731
    kept = start_rows(features, row_counts, n_seeds=n_seeds, seed=seed)
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


def start_rows(features: TaskFeatures, row_counts: Sequence[int], *, n_seeds: int, seed: int) -> Iterator[Row]:
    """Yield the test accuracy of least squares from two starts, by the number of training rows, and of fewer features.

    Gradient descent on n rows from the weights W_0 ends at the least-squares weights of smallest norm plus the part of
    W_0 that no row reaches. First weights have the variance ``1 / d`` of a layer of d features, each of unit spread.
    Beside them the same from 0 on half as many random features as there are rows, which the rows reach all.
    """
    shared = shared_columns(features, experiment=ANALYSIS, split="test", layer=names.LAYER)
    test_y = features.splits["test"][1]
    for repeat, s in enumerate(range(seed, seed + n_seeds)):
        X, y = bridge.half_of(features, seed=s)
        spread = X.std(0, correction=0)
        scale = torch.where(spread > 0, spread, 1.0)
        X, test_X = X / scale, features.splits["test"][0].double() / scale
        order = subsets.random_order(features.n_features, seed=s)
        draw = torch.Generator().manual_seed(s)
        first = torch.randn(features.n_features, features.n_classes, generator=draw, dtype=X.dtype)
        accuracies: dict[str, float] = {}
        for n in sorted({min(n, len(X)) for n in row_counts}):
            rows, test = X[:n] - X[:n].mean(0), test_X - X[:n].mean(0)
            targets = frame.centred_targets(y[:n], features.n_classes)
            few = order[: min(n // 2, features.n_features)]
            weight, reached = least_squares(rows, targets)
            off = first / features.n_features**0.5
            off = off - reached @ (reached.T @ off)
            narrow, _ = least_squares(rows[:, few], targets)
            scores = {
                of.ZERO_START: test @ weight,
                of.RANDOM_START: test @ (weight + off),
                of.FEW_FEATURES: test[:, few] @ narrow,
            }
            accuracies = {
                method: float((score.argmax(1) == test_y).double().mean()) for method, score in scores.items()
            }
            row = shared | {"seed": s, "repeat": repeat, "at": float(n)}
            for method, value in accuracies.items():
                yield row | {"metric": names.ACCURACY, "method": method, "value": value}
            within = (test @ reached).square().sum(1) / test.square().sum(1)  # row by row: a few are very long
            yield row | {"metric": of.UNREACHED, "method": of.ZERO_START, "value": 1 - float(within.mean())}
            if n == min(row_counts):
                few_rows = shared | {"seed": s, "repeat": repeat, "label": of.FEW_ROWS, "method": of.ZERO_START}
                cost = accuracies[of.ZERO_START] - accuracies[of.RANDOM_START]
                yield few_rows | {"metric": of.START_COST, "value": cost}
                gain = accuracies[of.ZERO_START] - accuracies[of.FEW_FEATURES]
                yield few_rows | {"metric": of.WHOLE_GAIN, "value": gain}


def least_squares(X: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights (d, C) of smallest norm that fit best, and orthonormal directions (d, r) that rows reach."""
    left, values, right = torch.linalg.svd(X, full_matrices=False)
    kept = values.square() > ROUNDING * values[0].square()
    reached = right[kept].T
    return reached @ ((left[:, kept].T @ targets) / values[kept, None]), reached


def _rows(one: OffTheData, i: int) -> Iterator[Row]:
    steps = list(one.norms)
    first = float(one.norms[0][i])
    norms = [float(one.norms[step][i]) / first for step in steps]
    yield from frame.curve(of.TRANSVERSE_NORM, steps, norms, label=one.method)
    if one.predicted:
        predicted = [float(one.predicted[step][i]) / first for step in steps]
        yield from frame.curve(of.TRANSVERSE_NORM, steps, predicted, label=one.method, method=names.THEORY)
        row = {"recipe": one.method, "metric": of.DECAY_ERROR}
        yield row | {"value": max(abs(a / b - 1) for a, b in zip(norms, predicted, strict=True))}
    share = float(one.transverse[i] / (one.transverse[i] + one.along[i]))
    numbers = {of.MOVED: one.moved, of.FLIPS: float(one.flips[i]), of.TRANSVERSE_SHARE: share}
    numbers |= {of.SUBSPACE_ACCURACY: float(one.accuracy[i])}
    for metric, value in numbers.items():
        yield {"recipe": one.method, "metric": metric, "value": value}
