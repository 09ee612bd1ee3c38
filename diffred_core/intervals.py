"""Intervals: over repeats, over repeats and test rows together, and from a jackknife over blocks."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from diffred_core.errors import InputError

_CELLS = 4_000_000  # resampled counts drawn at a time, 32 MB
_KEPT_CELLS = 24 * _CELLS  # a byte each, up to which all counts of a resampling are kept for the next call


class Interval(NamedTuple):
    """An estimate between its confidence limits; unpacks as (estimate, low, high)."""

    estimate: float
    low: float
    high: float


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the mean of repeats with Student's t interval.

    Parameters
    ----------
    values : array-like of shape (n_repeats,)
        One value per repeat, such as the accuracy of one random subset each.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        One repeat has no interval: `low` and `high` are then NaN.

    Raises
    ------
    InputError
        If there is no value, one is not finite, or the level is out of range.
    """
    values = _finite(values, name="values", ndim=1)
    check_level(level)
    n, mean = len(values), float(values.mean())
    if n == 1:
        return Interval(mean, float("nan"), float("nan"))
    return t_interval(mean, float(values.std(ddof=1) / np.sqrt(n)), degrees=n - 1, level=level)


def t_interval(estimate: float, error: float, *, degrees: int, level: float = 0.95) -> Interval:
    """Return the symmetric interval of Student's t around `estimate`.

    Parameters
    ----------
    estimate, error : float
        The estimate and its standard error.
    degrees : int
        Degrees of freedom of the standard error.
    level : float
        Confidence level in (0, 1).

    Raises
    ------
    InputError
        If the level is out of range. Without a degree of freedom the limits are NaN.
    """
    reach = t_quantile(level, degrees=degrees) * error
    return Interval(estimate, estimate - reach, estimate + reach)


def t_quantile(level: float, *, degrees: int) -> float:
    """Return how many standard errors the symmetric interval of Student's t reaches; arguments of `t_interval`."""
    check_level(level)
    return float(special.stdtrit(degrees, 0.5 + level / 2))


def difference_interval(one: Interval, other: Interval) -> Interval:
    """Return the interval of the difference of two independent estimates from those of each: MOVER.

    ``low = d - sqrt((a - a_low)^2 + (b_high - b)^2)`` for the estimates a, b and their difference d, and likewise high
    (Zou and Donner 2008): exact for normal errors, and as lopsided as the intervals it comes from. Of estimates that
    go together, such as accuracies on the same rows, it is too wide.

    Parameters
    ----------
    one, other : Interval
        At one level, which is then that of the result.
    """
    estimate = one.estimate - other.estimate
    down = np.hypot(one.estimate - one.low, other.high - other.estimate)
    up = np.hypot(one.high - one.estimate, other.estimate - other.low)
    return Interval(estimate, estimate - float(down), estimate + float(up))


def jackknife_error(leave_one_out: ArrayLike) -> np.ndarray:
    """Return the delete-a-group jackknife standard error: ``sqrt((B-1)/B sum_b (v_b - mean v)^2)``.

    Parameters
    ----------
    leave_one_out : array-like of shape (n_blocks, ...)
        The statistic without each of B blocks of rows of (nearly) one size.

    Returns
    -------
    ndarray of the remaining shape

    Raises
    ------
    InputError
        If there are fewer than two blocks, or a value is not finite.
    """
    v = _finite(leave_one_out, name="leave_one_out")
    if not v.ndim or len(v) < 2:
        raise InputError(f"expected at least 2 blocks, got shape {v.shape}; 20 blocks are usual")
    error: np.ndarray = np.sqrt((len(v) - 1) / len(v) * ((v - v.mean(0)) ** 2).sum(0))
    return error


def paired_bootstrap(
    correct: ArrayLike, reference_correct: ArrayLike, *, level: float = 0.95, n_boot: int = 2000, seed: int = 0
) -> Interval:
    """Return the difference of two accuracies on the same test rows with a percentile bootstrap interval.

    Repeats (random subsets) AND test rows are resampled, each with replacement, so that the interval speaks of new
    subsets and new test data. Every resample uses the same rows for both methods: what makes a row hard for both
    cancels. Resampling both ways is slightly conservative (Owen 2007: it never understates the variance
    by more than the usual (m-1)/m of small samples).

    Parameters
    ----------
    correct : array-like of shape (n_repeats, n_rows)
        Whether repeat r was right on row i, 0/1 or bool; a share in [0, 1] also works.
    reference_correct : array-like of shape (n_rows,) or (n_repeats, n_rows)
        The same for what is compared with: one run, or one per repeat, then resampled in pairs.
    level : float
        Confidence level in (0, 1).
    n_boot : int
        Number of resamples.
    seed : int
        Seed of the resampling.

    Returns
    -------
    Interval
        ``mean(correct) - mean(reference_correct)`` and its limits.

    Raises
    ------
    InputError
        If the shapes do not fit, a value is not finite, or `level` or `n_boot` is out of range.
    """
    correct = _finite(correct, name="correct", ndim=2)
    reference = _finite(reference_correct, name="reference_correct")
    if reference.shape not in (correct.shape, correct.shape[1:]):
        raise InputError(
            f"expected reference_correct of shape {correct.shape[1:]} or {correct.shape}, got {reference.shape}; "
            "score both on the same test rows"
        )
    return _percentile_interval(correct - reference, level=level, n_boot=n_boot, seed=seed)


def cluster_bootstrap(values: ArrayLike, *, level: float = 0.95, n_boot: int = 2000, seed: int = 0) -> Interval:
    """Return the mean of values that come in clusters, with a percentile bootstrap interval over clusters.

    What one cluster holds is not independent (all test sets of one network, say), so clusters are resampled whole and
    the interval speaks of new clusters. With few of them it is too short: six give some 460 different resamples.

    Parameters
    ----------
    values : array-like of shape (n_clusters,) or (n_clusters, n_within)
        One value per cluster, or several of equal weight.
    level, n_boot, seed
        As in `paired_bootstrap`.

    Returns
    -------
    Interval
        One cluster has no interval: `low` and `high` are then NaN.

    Raises
    ------
    InputError
        If there is no value, one is not finite, or `level` or `n_boot` is out of range.
    """
    values = _finite(values, name="values")
    means = values.reshape(len(values), -1).mean(1) if values.ndim else values[None]
    interval = _percentile_interval(means[None], level=level, n_boot=n_boot, seed=seed)
    return interval if len(means) > 1 else Interval(interval.estimate, float("nan"), float("nan"))


def interquartile_mean(
    strata: Sequence[ArrayLike], *, level: float = 0.95, n_boot: int = 2000, seed: int = 0
) -> Interval:
    """Return the mean of the middle half of all repeats of all strata, with a stratified bootstrap interval.

    Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice", sec. 4.3: less noisy
    than the median, and no single stratum decides it. Repeats are resampled within their stratum (a model on a task,
    say), so that the interval speaks of new repeats on the same strata, not of other strata.

    Parameters
    ----------
    strata : sequence of array-like of shape (n_repeats,)
        One or more repeats of each stratum.
    level, n_boot, seed
        As in `paired_bootstrap`.

    Returns
    -------
    Interval

    Raises
    ------
    InputError
        If there is no stratum, or one is empty or holds what is not finite.
    """
    check_level(level)
    tables = [np.asarray(values, dtype=float).ravel() for values in strata]
    if not tables or not all(len(values) and np.isfinite(values).all() for values in tables):
        raise InputError("expected strata of one or more finite repeats each, got none or one without; leave it out")
    rng = np.random.default_rng(seed)
    drawn = [values[rng.integers(len(values), size=(n_boot, len(values)))] for values in tables]
    means = _middle_mean(np.concatenate(drawn, axis=1))
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(_middle_mean(np.concatenate(tables))), float(low), float(high))


def _middle_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis without the lowest and the highest quarter, each rounded down."""
    cut = values.shape[-1] // 4
    middle: np.ndarray = np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut].mean(-1)
    return middle


def _percentile_interval(table: np.ndarray, *, level: float, n_boot: int, seed: int) -> Interval:
    """Return the mean of `table` with its percentiles under resamplings of its rows and, independently, its columns.

    With r and c the counts of rows and columns in a resample the mean is r'Dc / (R C): two products, no copies of D.
    """
    check_level(level)
    means = [((rows @ table) * columns).sum(1) / table.size for rows, columns in _counts(table.shape, n_boot, seed)]
    low, high = np.quantile(np.concatenate(means), [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(table.mean()), float(low), float(high))


def bootstrap_means(values: ArrayLike, *, n_boot: int = 2000, seed: int | Sequence[int] = 0) -> np.ndarray:
    """Return the mean of every curve under resamplings of the rows that all of them share.

    What is made of the means, such as a ratio or the place of the largest, has the quantiles of its resampled values
    as percentile interval. The same `seed` and number of rows give the same resamples: curves of two calls on the same
    rows stay paired.

    Parameters
    ----------
    values : array-like of shape (n_curves, n_rows)
        Whether curve c is right on row i, say.
    n_boot : int
        Number of resamples.
    seed : int or sequence of int
        Of the resampling.

    Returns
    -------
    ndarray of shape (n_boot, n_curves)

    Raises
    ------
    InputError
        If a value is not finite, or `n_boot` is out of range.
    """
    values = _finite(values, name="values", ndim=2)
    n, whole = values.shape[1], seed if isinstance(seed, int) else tuple(seed)
    means: np.ndarray = np.concatenate([count @ values.T for (count,) in _counts((n,), n_boot, whole)]) / n
    return means


def _counts(shape: tuple[int, ...], n_boot: int, seed: int | tuple[int, ...]) -> Iterable[Sequence[np.ndarray]]:
    """Return how often each index along every axis of `shape` is in a resample, (size, length) for portions of all."""
    kept = sum(shape) * n_boot <= _KEPT_CELLS
    return _kept_counts(shape, n_boot, seed) if kept else _drawn_counts(shape, n_boot, seed)


def _drawn_counts(shape: tuple[int, ...], n_boot: int, seed: int | tuple[int, ...]) -> Iterator[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    for size in _portions(n_boot, shape[-1]):
        counts = [rng.multinomial(n, np.full(n, 1 / n), size=size) for n in shape]
        yield [count.astype(np.min_scalar_type(count.max())) for count in counts]


@functools.lru_cache(maxsize=3)
def _kept_counts(shape: tuple[int, ...], n_boot: int, seed: int | tuple[int, ...]) -> list[list[np.ndarray]]:
    """Return `_drawn_counts`: to draw takes longer than to use, and a sweep asks for the same ones many times."""
    return list(_drawn_counts(shape, n_boot, seed))


def _portions(n_boot: int, n_counts: int) -> list[int]:
    """Return how many of `n_boot` resamples of `n_counts` counts each to draw at a time."""
    if n_boot < 1:
        raise InputError(f"expected n_boot of at least 1, got {n_boot}; 2000 is usual")
    step = max(1, _CELLS // n_counts)
    return [min(step, n_boot - start) for start in range(0, n_boot, step)]


def _finite(values: ArrayLike, *, name: str, ndim: int | None = None) -> np.ndarray:
    values = np.asarray(values, float)
    if (ndim is not None and values.ndim != ndim) or not values.size or not np.isfinite(values).all():
        shape = "" if ndim is None else f"{ndim}-dimensional, "
        raise InputError(
            f"expected {name} to be {shape}not empty and finite, got shape {values.shape}"
            f"{'' if np.isfinite(values).all() else ' with NaN or infinity'}; drop the runs that failed"
        )
    return values


def check_level(level: float) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0 < level < 1:
        raise InputError(f"expected level in (0, 1), got {level}; 0.95 is usual")
