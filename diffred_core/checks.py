"""Checks of arguments that the array functions share."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.errors import InputError, near_names


def as_features(X: Tensor | ArrayLike, *, name: str = "X") -> Tensor:
    """Return `X` as a real tensor of shape (n_samples, n_features); half precisions become float32.

    Raises
    ------
    InputError
        If `X` is no array, is not two-dimensional, is empty, or does not hold floating-point numbers.
    """
    X = _as_tensor(X, name)
    if X.ndim != 2 or 0 in X.shape:
        raise InputError(
            f"expected {name} of shape (n_samples, n_features), both at least 1, got {tuple(X.shape)}; "
            "pool or flatten every sample to one row first"
        )
    if not X.is_floating_point():
        raise InputError(f"expected {name} of a floating-point dtype, got {X.dtype}; pass {name}.float()")
    return X if X.dtype in (torch.float32, torch.float64) else X.float()


def as_labels(y: Tensor | ArrayLike, n_samples: int, *, name: str = "y") -> Tensor:
    """Return `y` as an int64 tensor of `n_samples` class indices, none negative.

    Raises
    ------
    InputError
        If `y` is no array, has another shape, is no integer tensor, or holds a negative index.
    """
    y = _as_tensor(y, name)
    if y.shape != (n_samples,):
        raise InputError(
            f"expected {name} of shape ({n_samples},), one label for every row of X, got {tuple(y.shape)}; "
            "pass features and labels of the same samples"
        )
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
        raise InputError(f"expected {name} of integer class indices, got {y.dtype}; pass {name}.long()")
    if n_samples and int(y.min()) < 0:
        raise InputError(
            f"expected class indices from 0 in {name}, got {int(y.min())}; number the classes 0, 1, 2, ..."
        )
    return y.long()


def finite_features(X: Tensor | ArrayLike, *, n_features: int | None = None, name: str = "X") -> Tensor:
    """Return `X` as `as_features` does; refuse another width than `n_features`, NaN and infinity."""
    X = as_features(X, name=name)
    if n_features is not None and X.shape[1] != n_features:
        raise InputError(
            f"expected {name} with {n_features} features as in the fit, got {X.shape[1]}; "
            "pass features of the same layer"
        )
    # a finite sum proves finite entries; an infinite one may be an overflow, so look again, entry by entry
    if not torch.isfinite(X.sum()) and not torch.isfinite(X).all():
        bad = int((~torch.isfinite(X)).any(1).sum())
        raise InputError(f"expected finite values in {name}, got NaN or infinity in {bad} rows; drop or repair them")
    return X


def check_positive(value: float, *, name: str) -> None:
    """Refuse an option that is not above zero."""
    if not value > 0:
        raise InputError(f"expected {name} above 0, got {value}; leave it out for the default")


def check_choice(value: str, known: Collection[str], expected: str) -> None:
    """Refuse a `value` that is none of the `known`: the sentence says what is `expected`, with their names for {}."""
    if value not in known:
        names = ", ".join(known)
        raise InputError(f"{expected.format(names)}, got {value!r}{near_names(str(value), known)}")


def _as_tensor(values: Tensor | ArrayLike, name: str) -> Tensor:
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:  # torch's three ways to say that it is none
        raise InputError(
            f"expected {name} as an array of numbers, got {type(values).__name__}; pass a tensor or a NumPy array"
        ) from error


def check_same_classes(task: str, classes: Sequence[str], *, other: str, other_classes: Sequence[str]) -> None:
    """Refuse another task, to be measured with the probes of `task`, if its classes are not those of it by name.

    Raises
    ------
    InputError
        With a class that only one of them has.
    """
    if lacking := sorted(set(classes) - set(other_classes)) or sorted(set(other_classes) - set(classes)):
        raise InputError(
            f"expected the classes of {task!r} in {other!r}, where its probes are to be measured, but "
            f"{lacking[0]!r} is in one of them only; measure such a task by transfer"
        )
