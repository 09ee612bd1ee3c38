"""Geometric complexity of small networks in numbers, and of probes that are more or less smooth on a frozen layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import torch

from diffred_core import geometry, linear_probe, moments, subsets
from diffred_core.chapters.training import bridge, complexity, frame, names
from diffred_core.chapters.training import names_parts as of
from diffred_core.chapters.training.complexity import TrainedWith
from diffred_core.chapters.training.frame import PixelRows
from diffred_core.chapters.training.perceptrons import PerceptronRecipe, Perceptrons
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "geometric_complexity"


def geometric_complexity(
    features: TaskFeatures,
    pixels: PixelRows,
    *,
    widths: Sequence[int] = (100, 100),
    l2: Sequence[float] = (1e-6, 1e-4, 1e-3, 1e-2),
    label_noise: Sequence[float] = (0.01, 0.1, 0.3),
    learning_rates: Sequence[float] = (0.05, 0.2, 0.4),
    batch_sizes: Sequence[int] = (15, 60, 240),
    n_steps: int = 1500,
    n_sgd_steps: int = 600,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how steep networks are after training, by the strength of what is said to smooth or roughen them.

    Parameters
    ----------
    features : TaskFeatures
        For the bridge.
    pixels : PixelRows
        What the networks learn; complexity is per unit of a full pixel.
    widths : sequence of int
        Hidden units.
    l2, label_noise : sequence of float
        As in `complexity.trained_with`, each from the least on; by Adam at 2e-3.
    learning_rates, batch_sizes : sequence
        As in `complexity.trained_by`; by plain gradient descent, at 0.2 and 60 unless they are changed.
    n_steps, n_sgd_steps : int
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: metrics ``complexity`` and ``network_accuracy`` by strength (column at), ``recipe`` of what;
        ``log_ratio`` of the complexities at the greatest and least strength; ``linear_error``, of a linear network from
        the closed form, relative. Of the bridge ``probe_complexity`` and ``accuracy`` of probes on random features.

    Raises
    ------
    InputError
        As `complexity.trained_with` and `complexity.trained_by`.
    """
    frame.check_at_least(1, widths=widths, n_seeds=n_seeds)
    train, test = pixels.rows32
    shape, seeds = (train[0].shape[1], *widths, pixels.n_classes), range(seed, seed + n_seeds)
    options = {"widths": shape, "seeds": seeds}
    adam = PerceptronRecipe(steps=n_steps, learning_rate=2e-3)
    sgd = PerceptronRecipe(steps=n_sgd_steps, learning_rate=0.2, optimiser="sgd")
    done = [
        *complexity.trained_with(train, test, recipe=adam, l2=l2, label_noise=label_noise, **options),
        *complexity.trained_by(
            train, test, recipe=sgd, learning_rate=learning_rates, batch_size=batch_sizes, **options
        ),
    ]

    def rows_of(s: int) -> Iterator[Row]:
        yield from _rows(done, s - seed)
        linear = Perceptrons.drawn((shape[0], shape[-1]), [s])
        exact = float(linear.weights[0].double().square().sum())
        deviation = float(complexity.network_complexity(linear, test[0])) / exact - 1
        yield {"metric": of.LINEAR_ERROR, "recipe": "linear network", "value": abs(deviation)}

    kept = probe_rows(features, n_seeds=n_seeds, seed=seed)
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


def probe_rows(features: TaskFeatures, *, n_seeds: int, seed: int) -> Iterator[Row]:
    """Yield accuracy and complexity of ridge probes of three strengths on random features, of half the rows a seed.

    The complexity is per feature in units of its spread: ``||W||_F^2`` times the mean variance of a feature. Metric
    ``retained`` is the accuracy on 64 features as a share of that on all.
    """
    shared = shared_columns(features, experiment=ANALYSIS, split="test", layer=names.LAYER) | {"probe": "ridge"}
    sizes = [k for k in names.SIZES if k < features.n_features] + [features.n_features]
    for repeat, s in enumerate(range(seed, seed + n_seeds)):
        X, y = bridge.half_of(features, seed=s)
        rows = moments.from_features(X, y, n_classes=features.n_classes, quartic=False)
        spread = float(rows.variance.mean())
        order = subsets.random_order(features.n_features, seed=s)
        for method, l2 in of.PROBE_L2.items():
            (path,) = [linear_probe.fit_ridge_prefixes(rows, order=order, sizes=sizes, l2=l2 * spread)]
            accuracies = path.accuracy(*_float64(features.splits["test"])).flatten().tolist()
            at = {}
            for j, (k, accuracy) in enumerate(zip(sizes, accuracies, strict=True)):
                row = shared | {"method": method, "seed": s, "repeat": repeat, "n_selected": k}
                at[k] = accuracy
                weight = path[j].weight.view(k, -1)
                yield row | {"metric": names.ACCURACY, "value": accuracy}
                steepness = geometry.geometric_complexity(weight) * spread
                yield row | {"metric": of.PROBE_COMPLEXITY, "value": steepness}
            few = max(k for k in sizes if k <= of.RETAINED_SIZE)
            row = shared | {"method": method, "seed": s, "repeat": repeat, "n_selected": few}
            yield row | {"metric": of.RETAINED, "value": at[few] / at[features.n_features]}


def _float64(split: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return split[0].double(), split[1]


def _rows(done: Sequence[TrainedWith], i: int) -> Iterator[Row]:
    for what, words in of.STRENGTHS.items():
        of_what = sorted((one for one in done if one.what == what), key=lambda one: one.strength)
        for metric, name in ((of.COMPLEXITY, "complexity"), (of.NETWORK_ACCURACY, "accuracy")):
            values = [float(getattr(one, name)[i]) for one in of_what]
            yield from frame.curve(metric, [one.strength for one in of_what], values, recipe=words)
            for one, value in zip(of_what, values, strict=True):
                yield {"metric": metric, "recipe": words, "label": f"{one.strength:g}", "value": value}
        if len(of_what) > 1:
            ratio = float(of_what[-1].complexity[i] / of_what[0].complexity[i])
            yield {"metric": of.LOG_RATIO, "recipe": words, "value": math.log(ratio)}
