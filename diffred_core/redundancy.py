"""How redundant a layer is for a task, how unevenly its classes pay, and what a loss of accuracy is called."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from diffred_core.errors import InputError

# Of a tunnel (`tunnel.strength`). They stand here because figures, which load no torch, name them too.
STRENGTHS: dict[str, float] = {"negligible": 95.0, "weak": 90.0, "medium": 80.0, "strong": 0.0}
"""The least percentage retained of every strength (Harun et al. 2024): [95, 100], [90, 95), [80, 90), [0, 80)."""


def diffused_redundancy(
    fraction: ArrayLike, accuracy: ArrayLike, full_accuracy: float, *, delta: float, estimator: str = "first"
) -> float:
    """Return the diffused redundancy DR(delta) = 1 - f* (Nanda et al. 2023): the share of features one can drop.

    Parameters
    ----------
    fraction : array-like of shape (n_fractions,)
        Fractions of the layer that were kept, in (0, 1], in any order; 1.0 may be left out.
    accuracy : array-like of shape (n_fractions,)
        Accuracy at each fraction, averaged over random subsets.
    full_accuracy : float
        Accuracy of the full layer, on the same scale.
    delta : float
        Share of the full accuracy to be kept, in [0, 1].
    estimator : {"first", "nearest"}
        "first" is the definition: f* is the smallest fraction whose accuracy reaches `delta` of the full one.
        "nearest" is what the authors' code computes: the fraction whose ratio lies nearest to `delta`, which may fall
        short of it. Both are limited to the grid of fractions; the full layer counts as fraction 1.

    Returns
    -------
    float
        From 0 (all features are needed) to below 1.

    Raises
    ------
    InputError
        If the lengths differ or are 0, a fraction, `delta` or the full accuracy is out of range, or the estimator is
        unknown.
    """
    fraction, accuracy = _checked_curve(fraction, accuracy, full_accuracy, delta)
    ratio = accuracy / full_accuracy
    if estimator == "first":
        return float(1 - fraction[ratio >= delta].min())
    if estimator == "nearest":
        return float(1 - fraction[np.abs(ratio - delta).argmin()])
    raise InputError(f"expected estimator 'first' or 'nearest', got {estimator!r}; 'first' is the definition")


def strength(percent: float) -> str:
    """Return the strength of a tunnel from the percentage of OOD performance retained (Harun et al. 2024).

    Parameters
    ----------
    percent : float
        From `percent_retained`; the published bins are for its mean over OOD sets.

    Returns
    -------
    str
        A key of `STRENGTHS`.

    Raises
    ------
    InputError
        A percentage outside [0, 100].
    """
    percent = float(percent)
    if not 0 <= percent <= 100:
        raise InputError(f"expected percent in [0, 100], got {percent:g}; pass a value of tunnel.percent_retained")
    return next(name for name, least in STRENGTHS.items() if percent >= least)


def _checked_curve(
    fraction: ArrayLike, accuracy: ArrayLike, full_accuracy: float, delta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return fractions in growing order, and accuracies, with the full layer at fraction 1 as the last point."""
    fraction, accuracy = np.asarray(fraction, float), np.asarray(accuracy, float)
    if fraction.shape != accuracy.shape or fraction.ndim != 1 or not len(fraction):
        raise InputError(
            f"expected fraction and accuracy of one shape (n_fractions,), got {fraction.shape} and {accuracy.shape}; "
            "average the accuracy over subsets first"
        )
    if not ((fraction > 0) & (fraction <= 1)).all():
        raise InputError(
            f"expected fractions in (0, 1], got {fraction.min()} to {fraction.max()}; divide the size by n_features"
        )
    if not (np.isfinite(accuracy).all() and np.isfinite(full_accuracy) and full_accuracy > 0):
        raise InputError(
            f"expected finite accuracies and a positive full_accuracy, got full_accuracy={full_accuracy} and "
            f"accuracies {accuracy.tolist()}; drop the runs that failed"
        )
    if not 0 <= delta <= 1:
        raise InputError(f"expected delta in [0, 1], got {delta}; 0.9 keeps nine tenths of the full accuracy")
    partial = fraction < 1
    order = np.argsort(fraction[partial], kind="stable")
    return np.append(fraction[partial][order], 1.0), np.append(accuracy[partial][order], full_accuracy)


def gini(class_accuracy: ArrayLike) -> float:
    """Return the Gini coefficient of the accuracies of the classes, as published.

    ``G = sum_i (2i - n - 1) a_(i) / (n sum_i a_(i))`` with a_(1) <= ... <= a_(n), each accuracy plus 1e-7 (the
    authors' guard against classes that are never right; part of the published formula).

    Parameters
    ----------
    class_accuracy : array-like of shape (n_classes,)
        Accuracy of every class, not negative.

    Returns
    -------
    float
        0 if all classes are equal, (n - 1)/n if one class has all.

    Raises
    ------
    InputError
        If there is no class, or an accuracy is negative or not finite.
    """
    return float(gini_by_curve(_checked_classes(class_accuracy)[None])[0])


def gini_by_curve(class_accuracy: np.ndarray) -> np.ndarray:
    """Return `gini` of many curves at once: from (..., n_classes), finite and not negative, to (...)."""
    a = np.sort(class_accuracy, axis=-1) + 1e-7
    n = a.shape[-1]
    coefficients: np.ndarray = a @ (2 * np.arange(1, n + 1) - n - 1) / (n * a.sum(-1))
    return coefficients


def gini_null(accuracy: float, class_sizes: ArrayLike, *, n_draws: int = 500, seed: int = 0) -> float:
    """Return the Gini coefficient that equally accurate classes show by chance: its mean over binomial draws.

    A class of n test rows, each right with probability `accuracy`, has the measured accuracy Binomial(n, accuracy) / n.
    So the coefficient is above 0 where all classes are equal, and the more so the lower the accuracy and the smaller
    the classes: a fall in accuracy alone raises it.

    Parameters
    ----------
    accuracy : float
        Of every class, in [0, 1].
    class_sizes : array-like of shape (n_classes,)
        Test rows of every class, at least 1.
    n_draws : int
        Draws of all classes.
    seed : int
        Of the draws.

    Raises
    ------
    InputError
        If the accuracy or a class size is out of range.
    """
    sizes = np.asarray(class_sizes)
    if not 0 <= accuracy <= 1 or sizes.ndim != 1 or not len(sizes) or (sizes < 1).any():
        raise InputError(
            f"expected an accuracy in [0, 1] and class_sizes of at least 1, got {accuracy} and {sizes.tolist()}; leave "
            "out classes without test rows"
        )
    right = np.random.default_rng(seed).binomial(sizes, accuracy, size=(n_draws, len(sizes)))
    return float(gini_by_curve(right / sizes).mean())


def coefficient_of_variation(class_accuracy: ArrayLike) -> float:
    """Return the population standard deviation of the accuracies of the classes over their mean.

    Parameters
    ----------
    class_accuracy
        As in `gini`.

    Returns
    -------
    float
        0 if all classes are equal.

    Raises
    ------
    InputError
        As `gini`, or if all are 0.
    """
    a = _checked_classes(class_accuracy)
    if not a.any():
        raise InputError("expected at least one class with accuracy above 0, got all 0; the ratio std/mean is 0/0")
    return float(a.std() / a.mean())


def _checked_classes(class_accuracy: ArrayLike) -> np.ndarray:
    a = np.asarray(class_accuracy, float)
    if a.ndim != 1 or not len(a) or not np.isfinite(a).all() or (a < 0).any():
        raise InputError(
            f"expected class_accuracy of shape (n_classes,), finite and not negative, got {a.tolist()}; "
            "leave out classes without test rows"
        )
    return a
