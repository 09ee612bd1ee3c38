"""Spectral bias: networks learn slow functions before fast ones.

Rahaman et al. (2019, ICML, "On the Spectral Bias of Neural Networks"): a network with ReLU learns
``sum_k A_k sin(2 pi k x + phi_k)``, and the amplitude that it has reached at frequency k is followed, as a share of
A_k.

Where theory is exact: inputs even on a circle, two wide layers with ReLU and a bias, ``f = sum_i a_i relu(w_i x + b_i)
/ sqrt(m)`` with normal w and a, b from 0. Their tangent kernel depends on the angle t alone (Jacot, Gabriel and Hongler
2018; arc-cosine kernels of Cho and Saul 2009),

    ``K(t) = (sin t + (pi - t) cos t) / 2 pi  +  (1 + cos t) (pi - t) / 2 pi``,

of the outer and of the inner weights with the bias. So sines are its eigenvectors, the eigenvalue of frequency k is
``l_k = 1/N sum_n K(t_n) cos(k t_n)``, and of infinite width the error at k is ``(1 - mu l_k)^t`` times the first. The
targets of these layers are small, so that their weights hardly move: that is what the formula is about.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from scipy import stats
from scipy.spatial import cKDTree
from torch import Tensor

from diffred_core.chapters.training import bridge, frame, names
from diffred_core.chapters.training import names_learning as of
from diffred_core.errors import InputError
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "spectral_bias"
REACHED = 0.8  # share of the amplitude that counts as learned
SMALL = 0.1  # amplitudes on the circle
RATE = 1.0  # of the greatest eigenvalue, the share of its error that one step takes
N_NEIGHBOURS = 10
CONSTANT = 1e-9  # of the greatest variance: a feature that does not vary


def spectral_bias(
    features: TaskFeatures,
    *,
    frequencies: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 8),
    n_points: int = 64,
    width: int = 4096,
    n_steps: int = 300,
    deep_width: int = 128,
    depth: int = 4,
    deep_steps: int = 1000,
    learning_rate: float = 1e-3,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Train networks on a sum of sines and follow the amplitude at every frequency.

    Parameters
    ----------
    features : TaskFeatures
        For the bridge.
    frequencies : sequence of int
        In periods over the circle, or over the line that the deep network has as its input.
    n_points : int
        More than twice the greatest frequency.
    width, n_steps : int
        Of the two layers, by gradient descent; the narrow ones have a sixteenth of the width. At least 16.
    deep_width, depth, deep_steps, learning_rate
        Of the deep network, by Adam, as published but smaller and shorter; once with equal amplitudes and once with
        amplitudes that grow with the frequency.
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: curve ``amplitude`` by step, a share of the target's, for every frequency, of the two layers
        with the closed form; numbers a seed ``order`` (Spearman of frequency and the step at which 80 % are reached;
        what is not reached comes last, by its amplitude at the end) and ``deviation``.

    Raises
    ------
    InputError
        If a number is out of range, or a loss is not finite.
    """
    frame.check_at_least(16, width=width)
    frame.check_at_least(1, frequencies=frequencies, n_steps=n_steps, deep_width=deep_width)
    frame.check_at_least(1, depth=depth, deep_steps=deep_steps)
    if len(set(frequencies)) < 3 or n_points <= 2 * max(frequencies):
        raise InputError(
            f"expected at least 3 frequencies and n_points above {2 * max(frequencies)}, twice the greatest, got "
            f"{list(frequencies)} and {n_points}; an order needs three, and fewer points do not tell frequencies apart"
        )

    def rows_of(s: int) -> Iterator[Row]:
        equal = torch.ones(len(frequencies), dtype=torch.float64)
        sines = _Sines(frequencies, n_points, SMALL * equal, seed=s)
        for recipe, size in ((of.CIRCLE_NARROW, width // 16), (of.CIRCLE_WIDE, width)):
            yield from _circle_rows(sines, width=size, n_steps=n_steps, seed=s, recipe=recipe)
        for recipe, amplitudes in (
            (of.DEEP_EQUAL, equal),
            (of.DEEP_GROWING, torch.linspace(1, 2, len(equal)).double()),
        ):
            run = _Sines(frequencies, n_points, amplitudes, seed=s)
            courses = _deep(run, width=deep_width, depth=depth, n_steps=deep_steps, rate=learning_rate, seed=s)
            yield from _amplitude_rows(run, courses, None, recipe=recipe)

    rules = {of.SMOOTH: smooth_features, of.ROUGH: _rough_features}
    kept = bridge.rows(features, rules, analysis=ANALYSIS, n_seeds=n_seeds, seed=seed)
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


class _Sines:
    """A sum of sines of random phase at even points, and the amplitude of a function at each frequency."""

    def __init__(self, frequencies: Sequence[int], n_points: int, amplitudes: Tensor, *, seed: int) -> None:
        self.frequencies, self.n_points, self.amplitudes = list(frequencies), n_points, amplitudes
        self.x = torch.arange(n_points, dtype=torch.float64) / n_points
        draw = torch.Generator().manual_seed(seed)
        self.phases = 2 * math.pi * torch.rand(len(self.frequencies), generator=draw, dtype=torch.float64)

    @property
    def target(self) -> Tensor:
        """Return the function at the points."""
        angles = 2 * math.pi * torch.tensor(self.frequencies)[:, None] * self.x + self.phases[:, None]
        return (self.amplitudes[:, None] * angles.sin()).sum(0)

    def shares(self, values: Tensor) -> Tensor:
        """Return the amplitude of `values` (n_points,) at every frequency in the target's phase, by the target's."""
        spectrum, wanted = (torch.fft.fft(v)[self.frequencies] for v in (values, self.target))
        shares: Tensor = (spectrum * wanted.conj()).real / wanted.abs().square()
        return shares


def kernel_values(angles: Tensor) -> Tensor:
    """Return the tangent kernel ``K(t)`` of two infinitely wide layers with ReLU and bias, inputs on the circle.

    Jacot et al. (2018) with the arc-cosine kernels of Cho and Saul (2009, orders 0 and 1).

    Parameters
    ----------
    angles : Tensor
        Between two inputs, in radians.
    """
    t = (angles + math.pi) % (2 * math.pi) - math.pi
    t = t.abs()
    outer = (t.sin() + (math.pi - t) * t.cos()) / (2 * math.pi)
    values: Tensor = outer + (1 + t.cos()) * (math.pi - t) / (2 * math.pi)
    return values


def frequency_eigenvalues(frequencies: Sequence[int], n_points: int) -> Tensor:
    """Return ``l_k = 1/N sum_n K(t_n) cos(k t_n)`` for even points on the circle, (n_frequencies,)."""
    angles = 2 * math.pi * torch.arange(n_points, dtype=torch.float64) / n_points
    waves = (torch.tensor(list(frequencies), dtype=torch.float64)[:, None] * angles).cos()
    values: Tensor = waves @ kernel_values(angles) / n_points
    return values


def _circle_rows(sines: _Sines, *, width: int, n_steps: int, seed: int, recipe: str) -> Iterator[Row]:
    """Yield the two layers on the circle beside the closed form."""
    draw = torch.Generator().manual_seed(seed)
    circle = torch.stack([(2 * math.pi * sines.x).cos(), (2 * math.pi * sines.x).sin()], 1)
    W = torch.randn(2, width, generator=draw, dtype=torch.float64).requires_grad_()
    a = torch.randn(width, generator=draw, dtype=torch.float64).requires_grad_()
    b = torch.zeros(width, dtype=torch.float64).requires_grad_()

    def outputs() -> Tensor:
        return (circle @ W + b).relu() @ a / math.sqrt(width)

    first = outputs().detach()
    values = frequency_eigenvalues(sines.frequencies, sines.n_points)
    step = RATE / float(frequency_eigenvalues([0, 1], sines.n_points).max())
    courses = []
    target = sines.target

    def error() -> Tensor:
        now = outputs() - first
        courses.append(sines.shares(now.detach()))
        return ((now - target) / math.sqrt(sines.n_points))[:, None]

    frame.descend([W, a, b], error, step=step, n_steps=n_steps, setting=recipe)
    expected = 1 - (1 - step * values) ** torch.arange(n_steps + 1, dtype=torch.float64)[:, None]
    yield from _amplitude_rows(sines, torch.stack(courses), expected, recipe=recipe)


def _deep(sines: _Sines, *, width: int, depth: int, n_steps: int, rate: float, seed: int) -> Tensor:
    """Return the amplitudes (n_steps + 1, n_frequencies) of a deep network of one input, trained by Adam."""
    network = _DeepLine(width, depth, seed=seed)
    x, target = (2 * sines.x - 1).float()[:, None], sines.target.float()
    optimiser, courses = torch.optim.Adam(network.parameters, lr=rate), []
    for t in range(n_steps + 1):
        values = network(x)
        loss = (values - target).square().mean()
        frame.refuse_divergence(loss.detach(), step=t, setting="a deep network with ReLU")
        courses.append(sines.shares(values.detach().double()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return torch.stack(courses)


class _DeepLine:
    """Hidden layers with ReLU and biases between one input and one output, drawn uniform as torch draws them."""

    def __init__(self, width: int, depth: int, *, seed: int) -> None:
        draw, widths = torch.Generator().manual_seed(seed), [1, *[width] * depth, 1]
        self.layers = []
        for n_in, n_out in itertools.pairwise(widths):
            drawn = 2 * torch.rand(n_in + 1, n_out, generator=draw) - 1
            self.layers.append((drawn / math.sqrt(n_in)).requires_grad_())
        self.parameters = self.layers

    def __call__(self, x: Tensor) -> Tensor:
        hidden = x
        for number, layer in enumerate(self.layers):
            hidden = torch.addmm(layer[-1], hidden, layer[:-1])
            hidden = hidden.relu() if number < len(self.layers) - 1 else hidden
        return hidden[:, 0]


def _amplitude_rows(sines: _Sines, courses: Tensor, expected: Tensor | None, *, recipe: str) -> Iterator[Row]:
    steps = frame.places(len(courses) - 1)
    for method, values in ((names.MEASURED, courses), (names.THEORY, expected)):
        if values is None:
            continue
        for i, k in enumerate(sines.frequencies):
            columns = {"label": f"frequency {k}", "recipe": recipe, "method": method}
            yield from frame.curve(of.AMPLITUDE, steps, values[steps, i], **columns)
    yield {"recipe": recipe, "metric": of.FREQUENCY_ORDER, "value": order_of(sines.frequencies, courses)}
    if expected is not None:
        off = float((courses - expected).abs().max())
        yield {"recipe": recipe, "metric": of.DEVIATION, "value": off}


def order_of(frequencies: Sequence[int], courses: Tensor) -> float:
    """Return Spearman's correlation of frequency and the step at which `REACHED` of the amplitude is there.

    What is not reached comes after all that is, the smaller its last amplitude the later. courses (n_steps + 1, n).
    """
    reached = courses >= REACHED
    late = len(courses) + 1 - courses[-1].clamp(max=1).double()
    steps = torch.where(reached.any(0), reached.int().argmax(0).double(), late)
    return float(stats.spearmanr(list(frequencies), steps.numpy()).statistic)


def smooth_features(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return the features by how little they vary between neighbouring rows, for their variance: a `bridge.Rule`.

    Neighbours are the nearest rows of the layer. That is the Dirichlet energy of a feature on the graph of rows, the
    frequency at which it varies over the data.
    """
    rows = X.numpy()
    n_neighbours = min(N_NEIGHBOURS, len(rows) - 1)
    _, near = cKDTree(rows).query(rows, k=n_neighbours + 1)
    between = (rows[:, None] - rows[near[:, 1:]]) ** 2
    variance = rows.var(0)
    varies = variance > CONSTANT * variance.max()
    energy = np.where(varies, between.mean((0, 1)) / np.where(varies, variance, 1.0), np.inf)  # what is constant last
    return torch.from_numpy(np.argsort(energy, kind="stable"))


def _rough_features(X: Tensor, y: Tensor, seed: int) -> Tensor:
    order = smooth_features(X, y, seed)
    varying = order[X[:, order].var(0) > CONSTANT * X.var(0).max()]
    return torch.cat([varying.flip(0), order[len(varying) :]])
