"""Two layers of the same samples, checked and centred."""

from __future__ import annotations

from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_features
from diffred_core.errors import InputError
from diffred_core.moments.blocks import column_mean


def centred_pair(X: Tensor | ArrayLike, Y: Tensor | ArrayLike) -> tuple[Tensor, Tensor]:
    """Return both layers centred, in float64.

    Raises
    ------
    InputError
        If the layers have different rows, are not finite, or one does not vary.
    """
    pair = {"X": as_features(X), "Y": as_features(Y, name="Y")}
    if len(pair["X"]) != len(pair["Y"]):
        raise InputError(
            f"expected the same samples in X and Y, got {len(pair['X'])} and {len(pair['Y'])} rows; "
            "pass features of the same rows in the same order"
        )
    centred = []
    for name, values in pair.items():
        centred.append(values.double() - column_mean(values))
        if not bool(centred[-1].isfinite().all()):
            raise InputError(f"expected finite features, got NaN or infinity in {name}; drop the bad rows")
        if not bool(centred[-1].any()):
            raise InputError(f"expected features that vary from row to row, got a constant {name}; choose others")
    return centred[0], centred[1]
