"""Silent alignment: a small network turns its kernel to the labels before its loss falls.

Atanasov, Bordelon and Pehlevan (2022, ICLR, "Neural Networks as Kernel Learners: The Silent Alignment Effect"). The
network is ``f(x) = a'Wx`` with h hidden units; its tangent kernel is ``K = X M X'`` with ``M = ||a||^2 I + W'W``. On n
images, fewer than pixels, whitened so that ``XX' = n I``, and from small weights, W becomes ``a v'`` with v along
``X'y``:

- the strength ``u`` of that direction follows ``u(t) = s e^(2st) / (e^(2st) - 1 + s/u_0)`` with ``s = ||X'y||/n``
  (Saxe, McClelland and Ganguli 2014, eq. 8), and the loss is ``(s - u)^2 / 2``;
- the alignment ``y'Ky / (||y||^2 ||K||_F)`` goes from ``1/sqrt(n)``, of ``M = I``, to ``2/sqrt(n + 3)``, of
  ``M = I + vv'``, within a time of order 1/s, and the loss falls only at ``log(s/u_0)/2s``;
- so K changes its size, not its shape, while the network learns, and what it learns is kernel regression with the
  last K.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from diffred_core.chapters.training import bridge, frame, names
from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.frame import PixelRows
from diffred_core.errors import InputError
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "silent_alignment"
FALLEN = 0.1  # of the loss, by which time the alignment is asked for


def silent_alignment(
    features: TaskFeatures,
    pixels: PixelRows,
    *,
    n_images: int = 16,
    width: int = 50,
    small: float = 0.003,
    large: float = 0.3,
    end: float = 40.0,
    step: float = 0.005,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Train two linear layers to tell odd classes from even ones, and follow loss, kernel alignment and kernel size.

    Parameters
    ----------
    features, pixels
        For the bridge, and what the networks learn.
    n_images : int
        Of the training images, drawn anew for every seed; fewer than there are pixels that vary.
    width : int
        Hidden units.
    small, large : float
        Deviations of the first weights.
    end, step : float
        Time of the training and of one step of gradient descent.
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: curves ``loss``, ``alignment`` and ``kernel_size`` by time, as shares of their first, last and
        last value; and a number a seed ``share_before`` (of the rise of the alignment, before the loss has fallen by a
        tenth), ``kernel_regression`` (distance of the network from kernel regression with its last kernel, on test
        images) and ``alignment_end``.

    Raises
    ------
    InputError
        If a number is out of range, or a loss is not finite.
    """
    frame.check_at_least(2, n_images=n_images, width=width)
    for name, value in {"small": small, "large": large, "end": end, "step": step}.items():
        if value <= 0:
            raise InputError(f"expected {name} above 0, got {value}; leave it out for the default")
    settings = {(white, size): _name(white, size) for white in (True, False) for size in ("small", "large")}

    def rows_of(s: int) -> Iterator[Row]:
        for (white, size), recipe in settings.items():
            problem = _Images.drawn(pixels, n_images, whitened=white, seed=s)
            deviation = small if size == "small" else large
            run = _trained(problem, width=width, deviation=deviation, end=end, step=step, seed=s, setting=recipe)
            theory = white and size == "small"
            yield from (row | {"recipe": recipe} for row in _rows(problem, run, theory=theory))

    rules = {of.LABEL_FIRST: label_directions, of.LEADING: bridge.principal_directions}
    kept = bridge.rows(features, rules, analysis=ANALYSIS, n_seeds=n_seeds, seed=seed)
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


def _name(white: bool, size: str) -> str:
    return f"{'whitened' if white else 'as they are'}, {size} weights"


@dataclass(frozen=True, eq=False)
class _Images:
    """Rows X (n, d) with ``tr XX' = n^2``, targets y (n,) of 1 and -1, and test rows as scaled."""

    X: Tensor
    y: Tensor
    test_X: Tensor

    @classmethod
    def drawn(cls, pixels: PixelRows, n: int, *, whitened: bool, seed: int) -> _Images:
        rows = torch.randperm(len(pixels.X), generator=torch.Generator().manual_seed(seed))[:n]
        X, y = pixels.X[rows], 2.0 * (pixels.y[rows] % 2).double() - 1
        left, values, right = torch.linalg.svd(X, full_matrices=False)
        if len(values) < n or float(values[-1]) < of.RANK * float(values[0]):
            raise InputError(
                f"expected fewer n_images than directions that {pixels.task!r} varies in, got {n}; take fewer images"
            )
        scale = math.sqrt(n) / (values if whitened else values.square().mean().sqrt())
        if not whitened:
            return cls(X * scale, y, pixels.test_X * scale)
        # one map for all: the directions of the training rows are scaled each, the others all by the mean scale
        inside = pixels.test_X @ right.T
        test_X = (inside * scale) @ right + math.sqrt(n) / values.mean() * (pixels.test_X - inside @ right)
        return cls(math.sqrt(n) * left @ right, y, test_X)


@dataclass(frozen=True, eq=False)
class _Course:
    """Times (m,), and at each the loss, alignment and kernel norm; first weights, last weights and last ``M``."""

    times: list[float]
    loss: list[float]
    alignment: list[float]
    norm: list[float]
    first: tuple[Tensor, Tensor]
    last: tuple[Tensor, Tensor]


def kernel_matrix(a: Tensor, W: Tensor) -> Tensor:
    """Return ``M = ||a||^2 I + W'W`` (d, d) of the tangent kernel ``XMX'`` of ``a'Wx``; a (h,), W (h, d)."""
    matrix: Tensor = a.square().sum() * torch.eye(W.shape[1], dtype=W.dtype) + W.T @ W
    return matrix


def kernel_regression(M: Tensor, X: Tensor, y: Tensor, *, start: Tensor) -> Tensor:
    """Return the map (d,) that gradient descent with the constant kernel ``XMX'`` ends at, from the map `start` (d,).

    ``w = w_0 + M X' (X M X')^-1 (y - X w_0)`` for fewer rows than columns.
    """
    ended: Tensor = start + M @ X.T @ torch.linalg.solve(X @ M @ X.T, y - X @ start)
    return ended


def strength(times: np.ndarray, *, s: float, u_0: float) -> np.ndarray:
    """Return ``u(t) = s e^(2st) / (e^(2st) - 1 + s/u_0)`` (Saxe et al. 2014, eq. 8), the ungated mode of two layers."""
    risen = np.exp(-2 * s * np.asarray(times, dtype=float))  # over e^(2st): no overflow
    course: np.ndarray = s / (1 - risen + risen * s / u_0)
    return course


def _trained(
    problem: _Images, *, width: int, deviation: float, end: float, step: float, seed: int, setting: str
) -> _Course:
    draw, d = torch.Generator().manual_seed(seed), problem.X.shape[1]
    W = deviation * torch.randn(width, d, generator=draw, dtype=torch.float64)
    a = deviation * torch.randn(width, generator=draw, dtype=torch.float64)
    n, n_steps, first = len(problem.y), round(end / step), (a.clone(), W.clone())
    moment, target = problem.X.T @ problem.X / n, problem.X.T @ problem.y / n
    recorded = set(frame.places(n_steps, n=300))
    kept: list[tuple[float, float, float, float]] = []
    for t in range(n_steps + 1):
        gap = W.T @ a
        loss = float((problem.X @ gap - problem.y).square().mean() / 2)
        frame.refuse_divergence(loss, step=t, setting=setting)
        if t in recorded:
            M = kernel_matrix(a, W)
            norm = float(torch.einsum("ij,ji->", M @ moment, M @ moment).sqrt())
            share = float(target @ M @ target / (problem.y.square().mean() * norm))
            kept.append((t * step, loss, share, norm))
        slope = moment @ gap - target
        a, W = a - step * W @ slope, W - step * torch.outer(a, slope)
    times, losses, alignments, norms = (list(column) for column in zip(*kept, strict=True))
    return _Course(times, losses, alignments, norms, first=first, last=(a, W))


def _rows(problem: _Images, run: _Course, *, theory: bool) -> Iterator[Row]:
    loss, alignment = np.array(run.loss), np.array(run.alignment)
    shown = range(0, len(run.times), 5)
    times = [run.times[i] for i in shown]
    for label, values in ((of.LOSS, loss / loss[0]), (of.ALIGNMENT, alignment), (of.KERNEL, np.array(run.norm))):
        scale = values[-1] if label == of.KERNEL else 1.0
        yield from frame.curve(of.COURSE, times, (values / scale)[list(shown)], label=label)
    n = len(problem.y)
    if theory:
        s, u_0 = _first_strength(problem, run.first)
        course = strength(np.array(times), s=s, u_0=u_0)
        expected = {of.LOSS: (s - course) ** 2 / s**2, of.ALIGNMENT: np.full(len(times), 2 / math.sqrt(n + 3))}
        for label, values in expected.items():
            yield from frame.curve(of.COURSE, times, values, label=label, method=names.THEORY)
    after = max(1, int(np.argmax(loss <= (1 - FALLEN) * loss[0])))
    between = np.interp((1 - FALLEN) * loss[0], loss[[after, after - 1]], alignment[[after, after - 1]])
    yield {"metric": of.SHARE_BEFORE, "value": (between - alignment[0]) / (alignment[-1] - alignment[0])}
    yield {"metric": of.ALIGNMENT_END, "value": alignment[-1]}
    if theory:
        yield {"metric": of.ALIGNMENT_END, "value": 2 / math.sqrt(n + 3), "method": names.THEORY}
    yield {"metric": of.KERNEL_REGRESSION, "value": _distance(problem, run)}


def _first_strength(problem: _Images, first: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """Return s and ``u_0``: of the first weights the part that grows, ``||(a + Wv)/2||^2``, as the rest decays."""
    a, W = first
    target = problem.X.T @ problem.y / len(problem.y)
    s = float(target.norm())
    return s, float(((a + W @ target / s) / 2).square().sum())


def _distance(problem: _Images, run: _Course) -> float:
    """Return how far kernel regression with the last kernel is from the network on test rows, over its outputs."""
    (a_0, W_0), (a, W) = run.first, run.last
    regression = kernel_regression(kernel_matrix(a, W), problem.X, problem.y, start=W_0.T @ a_0)
    network = W.T @ a
    return float((problem.test_X @ (regression - network)).norm() / (problem.test_X @ network).norm())


def label_directions(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return the directions that silent alignment adds to a kernel, ``X'Y``, then the principal ones of the rest.

    Of centred rows and labels there are one fewer than classes. A `bridge.Rule`.
    """
    centred = X - X.mean(0)
    classes = torch.nn.functional.one_hot(y).double()
    left, values, _ = torch.linalg.svd(centred.T @ (classes - classes.mean(0)), full_matrices=False)
    labels = left[:, values > of.RANK * values[0]]
    rest = bridge.principal_directions(centred - centred @ labels @ labels.T, y, seed)
    return torch.cat([labels, rest], 1)
