"""How measures go with redundancy over cells, each a layer of a network on a task: rank correlations, errors elsewhere.

Cells that share a network or a task are not independent, and networks are crossed with tasks. So networks and tasks are
resampled whole, and a cell counts as often as its network times as often as its task was drawn (the pigeonhole
bootstrap: Owen 2007). Intervals are percentiles, and speak of new networks and new tasks; of five tasks they are, if
anything, too short. One resampling serves all measures, so that their intervals are comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from diffred_core import intervals
from diffred_core.errors import InputError
from diffred_core.intervals import Interval

# the rank correlation as it is, that left when both are ranked by the full accuracy too, and that of ranks within tasks
ALONE, GIVEN, WITHIN = "alone", "given_full_accuracy", "within_tasks"
FEWEST = 3  # cells, and tasks of which one is held out


class Cells(NamedTuple):
    """What a cell is of; two sequences (n_cells,)."""

    models: Sequence[str]
    tasks: Sequence[str]


class TaskErrors(NamedTuple):
    """Absolute errors (n_cells,) on the task that was held out, and by task the name of what was fitted."""

    errors: np.ndarray
    chosen: Mapping[str, str]


def crossed_weights(cells: Cells, *, n_boot: int = 1000, seed: int = 0) -> np.ndarray:
    """Return how often every cell counts in every resample of networks and tasks.

    Returns
    -------
    ndarray (n_cells, 1 + n_boot)
        The first column is the sample itself: ones.

    Raises
    ------
    InputError
        If there are fewer than 3 cells, or `n_boot` is less than 1.
    """
    if len(cells.models) < FEWEST or n_boot < 1:
        raise InputError(
            f"expected at least {FEWEST} cells and n_boot of at least 1, got {len(cells.models)} and {n_boot}; run "
            "more networks and tasks"
        )
    rng, weights = np.random.default_rng(seed), np.ones((len(cells.models), n_boot))
    for names in cells:
        levels, of_cell = np.unique(np.asarray(names), return_inverse=True)
        weights *= rng.multinomial(len(levels), np.full(len(levels), 1 / len(levels)), size=n_boot).T[of_cell]
    return np.hstack([np.ones((len(weights), 1)), weights])


def rank_correlation(
    x: ArrayLike,
    y: ArrayLike,
    weights: np.ndarray,
    *,
    control: ArrayLike | None = None,
    within: Sequence[str] | None = None,
    level: float = 0.95,
) -> Interval:
    """Return Spearman's correlation of two measurements of cells with its percentile interval.

    Parameters
    ----------
    x, y : array-like (n_cells,)
        Cells in which `x` is NaN do not count.
    weights : ndarray (n_cells, 1 + n_boot)
        Of `crossed_weights`.
    control : array-like (n_cells,), optional
        Partial correlation: what is left when the ranks of both are regressed on those of `control`.
    within : sequence (n_cells,), optional
        Ranks are taken among cells of one task, as a share of them, so that differences between tasks say nothing.
    level : float

    Returns
    -------
    Interval
        NaN where one of them does not vary.

    Raises
    ------
    InputError
        If the shapes differ, `y` or `control` is not finite, or the level is out of range.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    others = [y] if control is None else [y, np.asarray(control, float)]
    if any(one.shape != (len(weights),) for one in (x, *others)) or not np.isfinite(others).all():
        raise InputError(
            f"expected x, y and control of {len(weights)} cells, y and control finite, got shapes {x.shape} and "
            f"{', '.join(str(one.shape) for one in others)}; leave out cells that lack one"
        )
    intervals.check_level(level)
    weights = weights * np.isfinite(x)[:, None]
    same = np.ones((len(x), len(x))) if within is None else _alike(within)
    ranks = [_ranks(one, weights, same) for one in (x, *others)]
    values = _correlation(ranks[0], ranks[1], weights)
    if control is not None:
        with_x, with_y = (_correlation(ranks[2], one, weights) for one in ranks[:2])
        with np.errstate(invalid="ignore", divide="ignore"):  # where one of them is the other
            values = (values - with_x * with_y) / np.sqrt((1 - with_x**2) * (1 - with_y**2))
    return _percentiles(values, level)


def held_out_errors(X: ArrayLike, y: ArrayLike, tasks: Sequence[str]) -> np.ndarray:
    """Return the absolute error of a linear fit on every cell, fitted on the cells of all other tasks.

    Parameters
    ----------
    X : array-like (n_cells, n_predictors)
        With no predictor the fit is the mean.
    y : array-like (n_cells,)
        Shares: predictions are cut to [0, 1].
    tasks : sequence (n_cells,)

    Returns
    -------
    ndarray (n_cells,)

    Raises
    ------
    InputError
        If there are fewer than 3 tasks, or a value is not finite.
    """
    X, y, of = np.asarray(X, float), np.asarray(y, float), np.asarray(tasks)
    names = np.unique(of)
    if len(names) < FEWEST or not (np.isfinite(X).all() and np.isfinite(y).all()):
        raise InputError(f"expected finite values of at least {FEWEST} tasks, got {len(names)} tasks; run more tasks")
    errors = np.empty(len(y))
    for name in names:
        out = of == name
        errors[out] = np.abs(_predicted(X[~out], y[~out], X[out]) - y[out])
    return errors


def chosen_errors(
    measures: Mapping[str, ArrayLike], y: ArrayLike, tasks: Sequence[str], *, beside: ArrayLike | None = None
) -> TaskErrors:
    """Return the errors of the one measure that does best on the other tasks, chosen without the task that is held out.

    Parameters
    ----------
    measures : mapping of str to array-like (n_cells,)
    y, tasks
        As of `held_out_errors`; at least 4 tasks, of which the choice holds out a second one.
    beside : array-like (n_cells,), optional
        What every fit has besides the measure.

    Raises
    ------
    InputError
        As `held_out_errors`, or if there is no measure.
    """
    y, of = np.asarray(y, float), np.asarray(tasks)
    fixed = np.empty((len(y), 0)) if beside is None else np.asarray(beside, float)[:, None]
    designs = {name: np.column_stack([fixed, np.asarray(x, float)]) for name, x in measures.items()}
    if not designs:
        raise InputError("expected at least one measure to choose from, got none; run the sweep of spectra")
    errors, chosen = np.empty(len(y)), {}
    for task in np.unique(of):
        out = of == task
        others = {name: _by_task(held_out_errors(X[~out], y[~out], of[~out]), of[~out]) for name, X in designs.items()}
        chosen[str(task)] = best = min(others, key=lambda name: others[name])
        errors[out] = np.abs(_predicted(designs[best][~out], y[~out], designs[best][out]) - y[out])
    return TaskErrors(errors, chosen)


def mean_error(errors: np.ndarray, weights: np.ndarray, *, level: float = 0.95) -> Interval:
    """Return the mean of errors (n_cells,), or of differences of errors, over resamples; the fits stay as they are."""
    intervals.check_level(level)
    total = weights.sum(0)
    return _percentiles((errors @ weights)[total > 0] / total[total > 0], level)


def _by_task(errors: np.ndarray, tasks: np.ndarray) -> float:
    return float(np.mean([errors[tasks == task].mean() for task in np.unique(tasks)]))


def _predicted(X: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return what a least-squares fit with an intercept says of new rows, as a share."""
    mean, scale = X.mean(0), X.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    designs = [np.column_stack([np.ones(len(rows)), (rows - mean) / scale]) for rows in (X, new)]
    predicted: np.ndarray = (designs[1] @ np.linalg.lstsq(designs[0], y, rcond=None)[0]).clip(0, 1)
    return predicted


def _alike(names: Sequence[str]) -> np.ndarray:
    of = np.asarray(names)
    alike: np.ndarray = (of[:, None] == of).astype(float)
    return alike


def _ranks(x: np.ndarray, weights: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Return the mid-rank of every cell among those that are the `same`, each counted by its weight, less their mean.

    As a share of them: of a cell i, sum_j w_j [x_j < x_i] + half of the ties, over sum_j w_j. The mean of that is 1/2.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        below = (same * (x < x[:, None])) @ weights + (same * (x == x[:, None])) @ weights / 2
        ranks: np.ndarray = np.nan_to_num(below / (same @ weights) - 0.5)
    return ranks


def _correlation(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        r: np.ndarray = (weights * a * b).sum(0) / np.sqrt((weights * a**2).sum(0) * (weights * b**2).sum(0))
    return r


def _percentiles(values: np.ndarray, level: float) -> Interval:
    """Return the first value between the percentiles of the others, as far as they are numbers."""
    drawn = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(drawn):
        return Interval(float(values[0]), float("nan"), float("nan"))
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(values[0]), float(low), float(high))
