"""Lazy or hasty: a network that learns features takes easy examples first, one that is linearised takes all alike.

George, Lajoie and Baratin (2022, TMLR, "Lazy vs hasty: linearization in deep networks impacts learning schedule based
on example difficulty"). Trained is ``alpha (f(x) - f_0(x))`` with a step over ``alpha^2``: a large alpha moves the
weights so little that the network is linear in them. Groups of examples are compared where the *whole* training set is
fitted equally well, never at equal times.

A model of it, in the manner of the paper's section 4 with constants derived here: one weight a mode, ``m = alpha
(theta^2 - theta_0^2)``, target w, and gradient flow on ``(m - w)^2 / 2`` at rate ``1/alpha^2`` give with
``c = alpha theta_0^2``

    ``dm/dt = (4/alpha) (c + m) (w - m),    m(t) = (w E - c) / (1 + E),    E = (c/w) e^(4 (w + c) t / alpha)``,

starting at 0. For large alpha all modes have the rate ``4 theta_0^2``; for small alpha that of mode j grows with
its target: what is easy, with a strong signal, is learned first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from diffred_core.chapters.training import bridge, frame, names
from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.frame import PixelRows
from diffred_core.errors import InputError
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "lazy_hasty"
EASY, HARD = 1.0, 0.4  # targets of the two modes
START = 0.3  # theta_0
SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)  # of what is fitted, at which groups are compared
MATCHED = 0.6  # at which the model is judged
N_TIMES = 2000


def lazy_hasty(
    features: TaskFeatures,
    pixels: PixelRows,
    *,
    alphas: Sequence[float] = (1.0, 100.0),
    model_alphas: Sequence[float] = (0.1, 10.0),
    noise: float = 0.2,
    n_images: int = 400,
    width: int = 256,
    n_steps: int = 1500,
    learning_rate: float = 1.0,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Train a network with some wrong labels, as it is and linearised, and compare true and wrong labels at equal fit.

    Parameters
    ----------
    features, pixels
        For the bridge, and what the networks learn.
    alphas, model_alphas : sequence of 2 floats
        Of the network as it is and linearised, and of the model.
    noise : float
        Share of the training images whose label is drawn anew from the other classes, in (0, 1).
    n_images, width, n_steps, learning_rate
        Of two hidden layers and gradient descent on all images; a step is `learning_rate` over ``alpha^2``.
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: curves ``progress`` of the two modes of the model by what both have together, with the closed
        form, for small and large alpha, and ``group_accuracy`` by the accuracy on all training images; numbers a seed
        ``model_gap``, ``group_gap`` (true less wrong labels, mean over equal accuracies that need wrong labels) and
        ``moved`` (of the weights); and the accuracy of probes on easy and hard test rows.

    Raises
    ------
    InputError
        If a number is out of range, a loss is not finite, or no two accuracies are matched.
    """
    frame.check_at_least(2, n_images=n_images, width=width, n_steps=n_steps)
    if not 0 < noise < 1:
        raise InputError(f"expected noise in (0, 1), got {noise}; without wrong labels nothing is hard")
    for name, pair in {"alphas": alphas, "model_alphas": model_alphas}.items():
        if len(pair) != 2 or not 0 < pair[0] < pair[1]:
            raise InputError(f"expected {name} of two rising numbers above 0, got {list(pair)}; 1 and 100 are usual")

    def rows_of(s: int) -> Iterator[Row]:
        for recipe, alpha in zip((of.MODEL_HASTY, of.MODEL_LAZY), model_alphas, strict=True):
            yield from (row | {"recipe": recipe} for row in _model_rows(alpha))
        runs = {
            recipe: _Fit(pixels, alpha, noise=noise, n=n_images, seed=s, width=width)
            for recipe, alpha in zip((of.HASTY, of.LAZY), alphas, strict=True)
        }
        for run in runs.values():
            run.train(n_steps, learning_rate)
        yield from _network_rows(runs, above=1 - noise)

    kept = easy_and_hard(features, n_seeds=n_seeds, seed=seed)
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


def mode_course(times: np.ndarray, *, target: float, alpha: float, start: float = START) -> np.ndarray:
    """Return ``m(t)`` of one mode by the closed form above; times (n,)."""
    c = alpha * start**2
    decay = np.exp(-4 * (target + c) * np.asarray(times, dtype=float) / alpha)  # 1/E up to c/w: no overflow
    course: np.ndarray = (target - target * decay) / (1 + target * decay / c)
    return course


def simulated_mode(times: np.ndarray, *, target: float, alpha: float, start: float = START) -> np.ndarray:
    """Return the same by gradient descent on theta, one step from each of the even times to the next."""
    theta, step, course = start, float(times[1] - times[0]) / alpha**2, []
    for _ in times:
        course.append(alpha * (theta**2 - start**2))
        theta -= step * alpha * 2 * theta * (course[-1] - target)
    return np.array(course)


def _model_rows(alpha: float) -> Iterator[Row]:
    """Yield the progress of both modes by what they have together: time is no axis on which the two alphas compare."""
    slow = 4 * (HARD + alpha * START**2) / alpha  # the smaller final rate
    times = np.linspace(0, 12 / slow * (1 + np.log1p(HARD / (alpha * START**2))), N_TIMES)
    targets = {of.EASY: EASY, of.HARD: HARD}
    together = np.array(SHARES)
    for method, course_of in ((names.MEASURED, simulated_mode), (names.THEORY, mode_course)):
        progress = {label: course_of(times, target=w, alpha=alpha) / w for label, w in targets.items()}
        whole = (EASY * progress[of.EASY] + HARD * progress[of.HARD]) / (EASY + HARD)
        at = {label: np.interp(together, whole, values) for label, values in progress.items()}
        for label, values in at.items():
            yield from frame.curve(of.PROGRESS, SHARES, values, label=label, method=method)
        gap = np.interp(MATCHED, SHARES, at[of.EASY] - at[of.HARD])
        yield {"metric": of.MODEL_GAP, "value": float(gap), "method": method}


class _Fit:
    """Two hidden layers with ReLU on images some of whose labels are wrong."""

    def __init__(self, pixels: PixelRows, alpha: float, *, noise: float, n: int, seed: int, width: int) -> None:
        draw = torch.Generator().manual_seed(seed)
        rows = torch.randperm(len(pixels.X), generator=draw)[:n]
        self.X, self.alpha, self.n_classes = (pixels.X[rows] / pixels.X.std()).float(), alpha, pixels.n_classes
        self.wrong = torch.arange(len(rows)) < round(noise * len(rows))  # rows are in random order
        shift = torch.randint(1, pixels.n_classes, (len(rows),), generator=draw) * self.wrong
        self.y = (pixels.y[rows] + shift) % pixels.n_classes
        widths = [self.X.shape[1], width, width, pixels.n_classes]
        self.layers = [
            layer.detach().float().requires_grad_() for layer in frame.drawn_layers(widths, seed=seed, gain=2**0.5)
        ]
        self.first = [layer.detach().clone() for layer in self.layers]
        self.start = self._outputs().detach()
        self.curve: list[tuple[float, float, float]] = []  # accuracy on all, true and wrong labels, step by step

    def _outputs(self) -> Tensor:
        hidden = self.X
        for layer in self.layers[:-1]:
            hidden = (hidden @ layer).relu()
        return hidden @ self.layers[-1]

    def train(self, n_steps: int, learning_rate: float) -> None:
        for t in range(n_steps):
            logits = self.alpha * (self._outputs() - self.start)
            loss = cross_entropy(logits, self.y)
            frame.refuse_divergence(loss.detach(), step=t, setting=f"alpha {self.alpha:g}")
            right = (logits.argmax(1) == self.y).double()
            every, true, wrong = (float(part.mean()) for part in (right, right[~self.wrong], right[self.wrong]))
            self.curve.append((every, true, wrong))
            for layer, slope in zip(self.layers, torch.autograd.grad(loss, self.layers), strict=True):
                layer.data -= learning_rate / self.alpha**2 * slope
            if t > 0 and float(right.mean()) == 1:
                break

    def at(self, accuracy: float) -> tuple[float, float] | None:
        """Return the accuracy on true and on wrong labels where that on all first reaches `accuracy`, by a line."""
        every = np.array(self.curve)
        if every[:, 0].max() < accuracy:
            return None
        after = int(np.argmax(every[:, 0] >= accuracy))
        if after == 0:
            return float(every[0, 1]), float(every[0, 2])
        before, reached = every[after - 1], every[after]
        share = (accuracy - before[0]) / (reached[0] - before[0])
        return float(before[1] + share * (reached[1] - before[1])), float(before[2] + share * (reached[2] - before[2]))

    @property
    def moved(self) -> float:
        """Return how far the weights are from their first values, as a share of those."""
        parts = zip(self.layers, self.first, strict=True)
        far = sum(float((layer.detach() - first).square().sum()) for layer, first in parts)
        return float((far / sum(float(first.square().sum()) for first in self.first)) ** 0.5)


def _network_rows(runs: Mapping[str, _Fit], *, above: float) -> Iterator[Row]:
    """Yield accuracies by group where all runs have reached the accuracy on all, and their gap.

    Up to the share of true labels a network may fit those alone, whatever it prefers; so the gap is the mean over
    accuracies from there on.
    """
    matched = [share for share in SHARES if all(run.at(share) is not None for run in runs.values())]
    if not matched or max(matched) < above:
        best = min(max(one for one, _, _ in run.curve) for run in runs.values())
        raise InputError(
            f"expected every network to reach an accuracy of {above:g}, the share of true labels, on its training "
            f"images, got {best:.2f}; take more n_steps"
        )
    for name, run in runs.items():
        recipe = {"recipe": name}
        groups = [run.at(share) or (0.0, 0.0) for share in matched]
        for label, values in zip((of.TRUE, of.WRONG), zip(*groups, strict=True), strict=True):
            yield from frame.curve(of.GROUP_ACCURACY, matched, values, label=label, **recipe)
        judged = [true - wrong for share, (true, wrong) in zip(matched, groups, strict=True) if share >= above - 1e-9]
        gap = float(np.mean(judged))
        yield recipe | {"metric": of.GROUP_GAP, "value": gap}
        yield recipe | {"metric": of.MOVED, "value": run.moved}


def easy_and_hard(features: TaskFeatures, *, n_seeds: int, seed: int) -> Iterator[Row]:
    """Yield the accuracy of probes on random features on easy and on hard test rows.

    Hard is the half of the test rows that a probe on one half of the dimensions, drawn at random, gives the smaller
    margin; probes are then measured on features of the other half, so that difficulty is not that of the same probe.
    """
    shared = shared_columns(features, experiment=ANALYSIS, split="test", layer=names.LAYER) | {"probe": "ridge"}
    for repeat, s in enumerate(range(seed, seed + n_seeds)):
        order = torch.randperm(features.n_features, generator=torch.Generator().manual_seed(s))
        judges, probed = order.chunk(2)
        margins = bridge.margins(features, judges, seed=s)
        hard = margins <= margins.median()
        sizes = [k for k in names.SIZES if k <= len(probed)]
        correct = bridge.kept_correct(features, bridge.fixed(probed), seed=s, sizes=sizes)
        for label, rows in ((of.EASY_ROWS, ~hard), (of.HARD_ROWS, hard)):
            for k in sizes:
                row = shared | {"seed": s, "repeat": repeat, "n_selected": k, "fraction": k / features.n_features}
                value = float(correct[k][rows].double().mean())
                yield row | {"method": label, "metric": names.ACCURACY, "value": value}
            most = float(correct[sizes[-1]][rows].double().mean())
            near = min(sizes, key=lambda k: abs(k - names.CLAIM_SIZE))
            at_claim = float(correct[near][rows].double().mean())
            row = shared | {"seed": s, "repeat": repeat, "n_selected": near, "fraction": near / features.n_features}
            yield row | {"method": label, "metric": of.KEPT, "value": at_claim / most if most else 0.0}
