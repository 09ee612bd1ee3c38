"""What gradient descent learns first: the leading principal directions, in a linear probe and in deeper networks.

Hacohen and Weinshall (2022, JMLR 23, "Principal Components Bias in Over-parameterized Linear Models, and its
Manifestation in Deep Neural Networks"). For the loss ``||XW - Y||^2 / 2n`` let ``s_j`` be the eigenvalues of ``X'X/n``.
One layer has, to rounding, the error ``(1 - mu s_j)^t`` times the first one along direction j. Of L layers of width m
between d inputs and the outputs, drawn with variance one over the number of inputs, the map moves by

    W <- W - mu sum_l A_l A_l' G B_l' B_l,    A_l = W_L .. W_(l+1),  B_l = W_(l-1) .. W_1,  G the gradient of the map.

Where m is large, ``A_l A_l'`` is near 1 and ``B_l' B_l`` near 1 for l = 1 and near m/d above it, so that the error is
``(1 - mu gain s_j)^t`` with ``gain = 1 + (L - 1) m/d``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import torch
from scipy import optimize, stats
from torch import Tensor

from diffred_core.chapters.training import bridge, frame, names
from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.frame import PixelRows
from diffred_core.errors import InputError
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "pc_bias"
SHOWN = (1, 2, 4, 8, 16, 32)  # directions whose error is drawn, from 1
RATE = 0.2  # of the first direction: the share of its error that one step takes
FEWEST = 2  # directions of which an order is said
LEAST_SHARE = 1e-4  # of the first eigenvalue: directions below are rounding, as pixels that never vary have them


def pc_bias(
    features: TaskFeatures,
    pixels: PixelRows,
    *,
    depth: int = 3,
    width: int = 256,
    n_steps: int = 500,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Train linear networks, and one with ReLU, by gradient descent on all rows, and follow every principal direction.

    Parameters
    ----------
    features : TaskFeatures
        For the bridge.
    pixels : PixelRows
        What the networks learn.
    depth : int
        Layers of the deep networks, linear and with ReLU; at least 2.
    width : int
        Of their hidden layers; one more linear network has an eighth of it, the one with ReLU a half. At least 8.
    n_steps : int
    n_seeds, seed : int
        Networks of every kind, and the seed of the first.

    Returns
    -------
    DataFrame
        A results table: metric ``residual``, the error along a direction as a share of its first one, by step;
        ``half_time`` by eigenvalue; and a number a seed ``half_time_order`` (Spearman), ``deviation`` from the closed
        form and ``slowdown`` by shuffled labels. Column ``recipe`` is the network.

    Raises
    ------
    InputError
        If a number is too small, the steps are too few for an order of directions, or a loss is not finite.
    """
    frame.check_at_least(2, depth=depth)
    frame.check_at_least(8, width=width)
    frame.check_at_least(1, n_steps=n_steps)
    problem = _Problem(pixels.X, pixels.targets)
    linear = {of.ONE_LAYER: (1, width), of.NARROW: (depth, width // 8), of.WIDE: (depth, width)}

    def rows_of(s: int) -> Iterator[Row]:
        for recipe, (layers, size) in linear.items():
            yield from _linear_rows(problem, layers, width=size, n_steps=n_steps, seed=s, recipe=recipe)
        yield from _relu_rows(problem, depth, width=width // 2, n_steps=n_steps, seed=s)
        yield _slowdown(problem, seed=s)

    rules = {of.LEADING: bridge.principal_directions, of.TRAILING: _trailing}
    kept = [
        *bridge.rows(features, rules, analysis=ANALYSIS, n_seeds=n_seeds, seed=seed),
        *stopped_rows(features, n_seeds=n_seeds, seed=seed),
    ]
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


class _Problem:
    """Least squares in principal axes: eigenvalues (d,), scores of the rows (n, d) and targets (n, n_outputs)."""

    def __init__(self, X: Tensor, Y: Tensor) -> None:
        U, S, Vh = torch.linalg.svd(X, full_matrices=False)
        kept = S.square() > LEAST_SHARE * S[0].square()
        self.values, self.left = (S.square() / len(X))[kept], U[:, kept]
        self.X, self.Y, self.scores = X, Y, X @ Vh[kept].T
        self.solution = self.scores.T @ Y / len(X) / self.values[:, None]

    def error_of(self, weight: Tensor) -> Tensor:
        """Return the error of a map (d, n_outputs) along every direction; the loss is half the sum of its squares."""
        error: Tensor = self.values.sqrt()[:, None] * (weight - self.solution)
        return error


def closed_form(values: Tensor, step: float, times: Sequence[float], *, gain: float = 1.0) -> Tensor:
    """Return the error along every direction as a share of its first one, ``(1 - step gain s)^t``.

    Hacohen and Weinshall (2022, theorem 1); of one layer exact.

    Parameters
    ----------
    values : Tensor (d,)
        Eigenvalues of ``X'X/n``.
    step : float
        Learning rate.
    times : sequence of float
        Numbers of steps.
    gain : float
        Of the layers, see `gain_of`.

    Returns
    -------
    Tensor (n_times, d)
    """
    shares: Tensor = (1 - step * gain * values) ** torch.tensor(times, dtype=values.dtype)[:, None]
    return shares


def gain_of(depth: int, *, width: int, n_inputs: int) -> float:
    """Return ``1 + (L - 1) m/d``, by which L wide layers learn faster than one; for `width` = m to infinity."""
    return 1 + (depth - 1) * width / n_inputs


def _linear_rows(problem: _Problem, depth: int, *, width: int, n_steps: int, seed: int, recipe: str) -> Iterator[Row]:
    n_inputs, n_outputs = len(problem.values), problem.Y.shape[1]
    gain = gain_of(depth, width=width, n_inputs=n_inputs)
    step = RATE / float(gain * problem.values[0])
    layers = frame.drawn_layers([n_inputs, *[width] * (depth - 1), n_outputs], seed=seed)
    errors = frame.descend(
        layers, lambda: problem.error_of(_product(layers)), step=step, n_steps=n_steps, setting=recipe
    )
    expected = closed_form(problem.values, step, range(n_steps + 1), gain=gain)
    yield from _direction_rows(problem, errors, expected, recipe=recipe)


def _relu_rows(problem: _Problem, depth: int, *, width: int, n_steps: int, seed: int) -> Iterator[Row]:
    n_inputs, n = len(problem.values), len(problem.Y)
    layers = frame.drawn_layers([n_inputs, *[width] * (depth - 1), problem.Y.shape[1]], seed=seed, gain=math.sqrt(2))
    step = RATE / float(gain_of(depth, width=width, n_inputs=n_inputs) * problem.values[0])

    def error() -> Tensor:
        hidden = problem.scores
        for layer in layers[:-1]:
            hidden = (hidden @ layer).relu()
        off: Tensor = (hidden @ layers[-1] - problem.Y) / math.sqrt(n)
        return off

    errors = frame.descend(layers, error, step=step, n_steps=n_steps, setting=of.RELU, along=problem.left)
    yield from _direction_rows(problem, errors, None, recipe=of.RELU)


def _direction_rows(problem: _Problem, errors: Tensor, expected: Tensor | None, *, recipe: str) -> Iterator[Row]:
    """Yield what is read off the errors (n_steps + 1, d) along every direction, beside the closed form."""
    n_steps, shares = len(errors) - 1, errors / errors[0]
    steps, shown = frame.places(n_steps), [j for j in SHOWN if j <= errors.shape[1]]
    for method, share in ((names.MEASURED, shares), (names.THEORY, expected)):
        if share is None:
            continue
        columns = {"recipe": recipe, "method": method}
        for j in shown:
            yield from frame.curve(of.RESIDUAL, steps, share[steps, j - 1], label=f"direction {j}", **columns)
        times = half_times(share)
        yield from frame.curve(of.HALF_TIME, problem.values.tolist(), times, label=recipe, **columns)
    times = half_times(shares)
    reached = times.isfinite()
    if int(reached.sum()) < FEWEST:
        raise InputError(
            f"expected at least {FEWEST} directions of {recipe} to lose half of their error in {n_steps} steps, got "
            f"{int(reached.sum())}; take more n_steps"
        )
    # what is not reached comes last, all at once
    order = stats.spearmanr(-problem.values.numpy(), times.clamp(max=n_steps + 1).numpy()).statistic
    yield {"recipe": recipe, "metric": of.HALF_TIME_ORDER, "value": float(order)}
    if expected is not None:
        off = (shares - expected)[:, [j - 1 for j in shown]].abs().max()
        yield {"recipe": recipe, "metric": of.DEVIATION, "value": float(off)}


def half_times(shares: Tensor) -> Tensor:
    """Return the step at which each column of `shares` (n_steps + 1, d) is first at one half, between steps by a line.

    Infinity where it is not reached.
    """
    below = shares <= 0.5
    after = below.int().argmax(0)
    columns = torch.arange(shares.shape[1])
    upper, lower = shares[(after - 1).clamp(min=0), columns], shares[after, columns]
    times = after - (0.5 - lower) / (upper - lower)
    return torch.where(below.any(0) & (after > 0), times, math.inf)


def _slowdown(problem: _Problem, *, seed: int) -> Row:
    """Return how many times as many steps one layer needs to halve the loss of labels in another order."""
    order = torch.randperm(len(problem.Y), generator=torch.Generator().manual_seed(seed))
    true, shuffled = (loss_half_time(problem, targets) for targets in (problem.Y, problem.Y[order]))
    return {"metric": of.SLOWDOWN, "value": shuffled / true, "recipe": of.ONE_LAYER}


def loss_half_time(problem: _Problem, targets: Tensor) -> float:
    """Return the steps, whole or not, after which one layer from zeros has half of the loss that it can take away."""
    first = (problem.left.T @ targets).square().sum(1)
    return _steps_until(problem, lambda shares: -float(shares.square() @ first / first.sum()), -0.5)


def stopped_rows(features: TaskFeatures, *, n_seeds: int, seed: int) -> Iterator[Row]:
    """Yield the test accuracy of a probe that gradient descent has learned so far, by the directions that it uses.

    From zero weights direction j has gone ``1 - (1 - mu s_j)^t`` of its way to least squares; the sum of that over
    directions is the number in use. The steps for a given number follow from the closed form, whole or not.
    """
    shared = shared_columns(features, experiment=ANALYSIS, split="test", layer=names.LAYER)
    test_X, test_y = features.splits["test"]
    for repeat, s in enumerate(range(seed, seed + n_seeds)):
        X, y = bridge.half_of(features, seed=s)
        problem = _Problem(X - X.mean(0), frame.centred_targets(y, features.n_classes))
        axes = problem.X.T @ problem.left / (len(X) * problem.values).sqrt()
        mean = torch.nn.functional.one_hot(y, features.n_classes).double().mean(0)
        for k in (k for k in names.SIZES if k <= len(problem.values) // 2):
            progress = 1 - closed_form(problem.values, 1 / float(problem.values[0]), [steps_for(problem, k)])[0]
            scores = (test_X.double() - X.mean(0)) @ axes @ (progress[:, None] * problem.solution) + mean
            accuracy = float((scores.argmax(1) == test_y).double().mean())
            row = shared | {"seed": s, "repeat": repeat, "n_selected": k, "fraction": k / features.n_features}
            yield row | {"method": of.STOPPED, "metric": names.ACCURACY, "value": accuracy}


def steps_for(problem: _Problem, k: int) -> float:
    """Return the steps after which a probe from zeros uses `k` directions: ``sum_j 1 - (1 - s_j/s_1)^t = k``."""
    return _steps_until(problem, lambda shares: float((1 - shares).sum()), k)


def _steps_until(problem: _Problem, measure: Callable[[Tensor], float], goal: float) -> float:
    """Return where `measure` of the closed form, which rises with the steps, reaches its goal."""

    def short_of_goal(steps: float) -> float:
        return measure(closed_form(problem.values, 1 / float(problem.values[0]), [steps])[0]) - goal

    high = 1.0
    while short_of_goal(high) < 0:
        high *= 2
    return float(optimize.brentq(short_of_goal, 0.0, high))


def _trailing(X: Tensor, y: Tensor, seed: int) -> Tensor:
    return bridge.principal_directions(X, y, seed).flip(1)


def _product(layers: Sequence[Tensor]) -> Tensor:
    product = layers[0]
    for layer in layers[1:]:
        product = product @ layer
    return product
