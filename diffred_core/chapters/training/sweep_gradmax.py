"""GradMax in numbers: the gradient of new units and the loss after they came; and which features a probe lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor

from diffred_core.chapters.training import bridge, frame, growth, names
from diffred_core.chapters.training import names_parts as of
from diffred_core.errors import InputError
from diffred_core.linear_probe import fit_ridge_rows
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "gradmax"
METHODS = {growth.GRADMAX: of.GRADMAX, growth.RANDOM: of.RANDOM_UNITS}
PROBE_L2 = 0.01  # of the probe whose residual is taken, in units of the mean variance of a feature


def gradmax(
    features: TaskFeatures,
    *,
    n_in: int = 20,
    n_teacher: int = 10,
    n_out: int = 10,
    n_student: int = 5,
    n_new: int = 5,
    n_rows: int = 1000,
    n_steps: int = 500,
    learning_rate: float = 0.1,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Let students of a teacher grow, by GradMax and by random outgoing weights.

    Parameters
    ----------
    features : TaskFeatures
        For the bridge.
    n_in, n_teacher, n_out, n_student, n_rows, learning_rate
        As in `growth.lesson`.
    n_new : int
        New units; at most `n_out`.
    n_steps : int
        Of gradient descent, before the student grows and after.
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: metrics ``gradient_norm``, squared, by the number of new units and ``loss`` by step after they
        came (column at), ``label`` the way; numbers ``bound_error`` and ``share_of_bound`` of the gradient norm of
        `n_new` units, and ``loss_saved`` by GradMax over random weights, as a share of the loss at the growth.

    Raises
    ------
    InputError
        If a number is too small, more units than outputs are to come, or a loss is not finite.
    """
    frame.check_at_least(1, n_in=n_in, n_teacher=n_teacher, n_out=n_out, n_student=n_student, n_rows=n_rows)
    frame.check_at_least(10, n_steps=n_steps)
    frame.check_at_least(1, n_new=n_new)
    if n_new > n_out:
        raise InputError(f"expected n_new of at most n_out={n_out}, got {n_new}; more have no orthogonal weights")
    shape = {"n_in": n_in, "n_teacher": n_teacher, "n_out": n_out, "n_student": n_student, "n_rows": n_rows}

    def rows_of(s: int) -> Iterator[Row]:
        lesson = growth.lesson(**shape, steps=n_steps, learning_rate=learning_rate, seed=s)
        yield from _gradient_rows(lesson, min(n_in, n_out), n_new)
        yield from _loss_rows(lesson, n_new, n_steps=n_steps, learning_rate=learning_rate)

    rules = {of.MOST_GRADIENT: most_gradient, of.LEAST_GRADIENT: least_gradient}
    kept = bridge.rows(features, rules, analysis=ANALYSIS, n_seeds=n_seeds, seed=seed)
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


def most_gradient(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return features in an order in which each has the most gradient when it comes: a `bridge.Rule`.

    The gradient that the weights of a new feature would get, in units of its spread, is its covariance with the
    residual of a ridge probe on those before it; of labels alone for the first. Every fit doubles the features, up to
    256, and the others follow by the last gradient.
    """
    chosen, n = torch.empty(0, dtype=torch.int64), 1
    while True:
        size = missing_gradient(X, y, chosen)
        size[chosen] = -1.0
        if len(chosen) >= min(max(names.SIZES), X.shape[1]):
            return torch.cat([chosen, size.argsort(descending=True)[: X.shape[1] - len(chosen)]])
        chosen = torch.cat([chosen, size.argsort(descending=True)[:n]])
        n = min(len(chosen), X.shape[1] - len(chosen))


def least_gradient(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return features by rising gradient without any probe: those that labels alone miss least come first."""
    size = missing_gradient(X, y, torch.empty(0, dtype=torch.int64))
    spread = X.std(0, correction=0)
    # one that does not vary has none, and would be no rival
    return torch.where(spread > 0, size, float("inf")).argsort()


def missing_gradient(X: Tensor, y: Tensor, chosen: Tensor) -> Tensor:
    """Return the length of the gradient that every feature of unit spread would get, beside a probe on `chosen`.

    Parameters
    ----------
    X : Tensor (n, d)
    y : Tensor (n,)
    chosen : LongTensor (k,)
        May be empty.

    Returns
    -------
    Tensor (d,)
        ``||x_j' R|| / (n sd_j)`` with R (n, C) the residual of centred one-hot labels; 0 of a constant feature.
    """
    n_classes = int(y.max()) + 1
    residual = frame.centred_targets(y, n_classes)
    if len(chosen):
        l2 = PROBE_L2 * float(X.var(0).mean())
        probe = fit_ridge_rows(X[:, chosen], y, l2=l2, n_classes=n_classes)
        fitted = X[:, chosen] @ probe.weight.view(len(chosen), -1)
        residual = residual - (fitted - fitted.mean(0))
    spread = X.std(0, correction=0)
    length = ((X - X.mean(0)).T @ residual).norm(dim=1) / len(X)
    return torch.where(spread > 0, length / spread.clamp_min(1e-300), 0.0)


def _gradient_rows(lesson: growth.Lesson, most: int, n_new: int) -> Iterator[Row]:
    numbers = list(range(1, most + 1))
    for method, words in METHODS.items():
        values = [lesson.reached(k, method=method)[1] for k in numbers]
        yield from frame.curve(of.GRADIENT, numbers, values, label=words)
        share = values[n_new - 1] / lesson.bound(n_new)
        yield {"metric": of.OF_BOUND, "recipe": words, "value": share}
        if method == growth.GRADMAX:
            yield {"metric": of.BOUND_ERROR, "recipe": words, "value": abs(share - 1)}
            bounds = [lesson.bound(k) for k in numbers]
            yield from frame.curve(of.GRADIENT, numbers, bounds, label=words, method=names.THEORY)


def _loss_rows(lesson: growth.Lesson, n_new: int, *, n_steps: int, learning_rate: float) -> Iterator[Row]:
    at = {of.SOON: n_steps // 10, of.LATE: n_steps}
    losses = {}
    for method, words in METHODS.items():
        grown, _ = lesson.reached(n_new, method=method)
        options: dict[str, Any] = {
            "steps": n_steps,
            "learning_rate": learning_rate,
            "at": {*frame.places(n_steps), *at.values()},
        }
        setting = f"the student of seed {lesson.seed}, grown by {words}"
        _, losses[method] = growth.descended(grown, lesson.X, lesson.targets, setting=setting, **options)
        steps = frame.places(n_steps)
        yield from frame.curve(of.LOSS, steps, [losses[method][step] for step in steps], label=words)
    for recipe, step in at.items():
        saved = (losses[growth.RANDOM][step] - losses[growth.GRADMAX][step]) / losses[growth.GRADMAX][0]
        yield {"metric": of.LOSS_SAVED, "recipe": recipe, "value": saved}
