"""Division that knows what a constant dimension means."""

from __future__ import annotations

from torch import Tensor

LARGEST = 1e12


def safe_ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return ``numerator / denominator`` of values of at least 0, with 0/0 = 0 and nothing above 1e12.

    A dimension without difference and spread separates nothing. A difference over no spread separates perfectly: it
    counts far more than any other but stays finite.
    """
    return (numerator / denominator).nan_to_num_(nan=0.0, posinf=LARGEST).clamp_max_(LARGEST)
