"""What every probe demands of its rows, labels and options beyond `diffred_core.checks`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_labels
from diffred_core.errors import InputError

DEFAULT_MEMORY_BYTES = 2**29


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
