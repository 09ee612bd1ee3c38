"""What every probe demands of its rows, labels and options beyond `diffred_core.checks`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_features, as_labels
from diffred_core.errors import InputError

DEFAULT_MEMORY_BYTES = 2**29


def finite_features(X: Tensor | ArrayLike, *, n_features: int | None = None, name: str = "X") -> Tensor:
    """Return `X` as `checks.as_features` does; refuse another width than `n_features`, NaN and infinity."""
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


def class_labels(
    y: Tensor | ArrayLike, X: Tensor, *, n_classes: int | None = None, name: str = "y"
) -> tuple[Tensor, int]:
    """Return `y` as int64 indices on the device of `X`, and `n_classes`: given, or one above the largest label."""
    y = as_labels(y, len(X), name=name).to(X.device)
    highest = int(y.max())
    n_classes = highest + 1 if n_classes is None else n_classes
    if highest >= n_classes:
        raise InputError(
            f"expected class indices below n_classes={n_classes} in {name}, got {highest}; raise n_classes"
        )
    if n_classes < 2:
        raise InputError(f"expected at least two classes in {name}, got one; add rows of another class")
    return y, n_classes


def l2_values(l2: float | Sequence[float] | Tensor, *, device: torch.device, positive: bool) -> Tensor:
    """Return `l2` as float64 of 0, 1 or 2 dimensions; refuse negative (and, if `positive`, zero) values."""
    values = torch.as_tensor(l2, dtype=torch.float64, device=device)
    wrong = ~torch.isfinite(values) | (values <= 0 if positive else values < 0)
    if values.ndim > 2 or values.numel() == 0 or wrong.any():
        came = values[wrong].flatten()[:3].tolist() if wrong.any() else f"shape {tuple(values.shape)}"
        bound = "above 0" if positive else "of at least 0"
        raise InputError(
            f"expected finite values {bound} in l2, as a number, (n_l2,) or (n_l2, n_subsets), got {came}; "
            "pass for instance l2=1e-3"
        )
    return values


def check_positive(value: float, *, name: str) -> None:
    """Refuse an option that is not above zero."""
    if not value > 0:
        raise InputError(f"expected {name} above 0, got {value}; leave it out for the default")
