"""Number formats: how many bits a kept number has, calibrated a dimension at a time, so that a prefix stays valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from diffred_core.checks import check_choice, finite_features

_LARGEST = float(torch.finfo(torch.float16).max)
_LEVELS = 255


@dataclass(frozen=True, eq=False)
class NumberFormat:
    """How k numbers are kept, and what a search reads of them.

    Attributes
    ----------
    name : str
        One of `FORMATS`.
    low, step : Tensor (k,) of float32, or None
        Of ``int8``: code c stands for ``low + c * step``. Of the binary formats `low` is the threshold.
    """

    name: str
    low: Tensor | None = None
    step: Tensor | None = None

    def n_bytes(self, k: int) -> int:
        """Return the bytes of a vector of `k` numbers; bits are packed, and the last byte is whole."""
        return -(-k * _BITS[self.name] // 8)

    def prefix(self, k: int) -> NumberFormat:
        """Return the format of the first `k` numbers."""
        return replace(
            self,
            low=None if self.low is None else self.low[:k],
            step=None if self.step is None else self.step[:k],
        )

    def encode(self, Z: Tensor) -> np.ndarray:
        """Return the rows of `Z` (n, k) as they are kept: (n, k) of float32, float16 or uint8, or packed bits."""
        if self.name == "int8":
            return self._levels(Z).to(torch.uint8).numpy()
        if self.low is not None:
            return np.packbits((self.low <= Z).numpy(), axis=1)
        return Z.float().numpy() if self.name == "float32" else Z.clamp(-_LARGEST, _LARGEST).half().numpy()

    def decode(self, codes: np.ndarray, k: int) -> Tensor:
        """Return the `k` numbers that kept rows stand for, (n, k) of float32; bits stand for -1 and 1."""
        if self.name == "int8":
            assert self.low is not None
            assert self.step is not None
            return torch.from_numpy(codes.astype(np.float32)) * self.step + self.low
        if self.low is not None:
            return torch.from_numpy(np.unpackbits(codes, axis=1, count=k).astype(np.float32)) * 2 - 1
        return torch.from_numpy(codes.astype(np.float32))

    def round_trip(self, Z: Tensor) -> Tensor:
        """Return ``decode(encode(Z))`` without packing."""
        if self.name == "int8":
            assert self.low is not None
            assert self.step is not None
            return self._levels(Z).mul_(self.step).add_(self.low)
        if self.low is not None:
            return (self.low <= Z).float().mul_(2).sub_(1)
        return Z if self.name == "float32" else Z.clamp(-_LARGEST, _LARGEST).half().float()

    def arrays(self) -> dict[str, Tensor]:
        """Return the tensors that define it beside its name."""
        return {name: t for name, t in (("low", self.low), ("step", self.step)) if t is not None}

    def _levels(self, Z: Tensor) -> Tensor:
        assert self.low is not None
        assert self.step is not None
        return ((Z - self.low) / self.step).round_().clamp_(0, _LEVELS)


def fit_code(name: str, Z: Tensor) -> NumberFormat:
    """Return a number format calibrated on rows that are not scored.

    Parameters
    ----------
    name : {"float32", "float16", "int8", "binary_zero", "binary_median"}
        ``int8`` spreads 256 levels evenly over the range of every dimension; ``binary_zero`` keeps signs,
        ``binary_median`` on which side of the median a number lies. ``float16`` cuts at 65,504.
    Z : Tensor (n_samples, k)
        Rows to calibrate on, in the dimensions that are kept.

    Raises
    ------
    InputError
        If the name is unknown or a value is not finite.
    """
    check_choice(name, FORMATS, "number formats must be among {}")
    return _FITS[name](finite_features(Z, name="Z").float())


def _int8(Z: Tensor) -> NumberFormat:
    low, high = Z.amin(0), Z.amax(0)
    step = (high - low) / _LEVELS
    return NumberFormat("int8", low, torch.where(step > 0, step, torch.ones_like(step)))


_FITS: dict[str, Callable[[Tensor], NumberFormat]] = {
    "float32": lambda Z: NumberFormat("float32"),
    "float16": lambda Z: NumberFormat("float16"),
    "int8": _int8,
    "binary_zero": lambda Z: NumberFormat("binary_zero", torch.zeros(Z.shape[1])),
    "binary_median": lambda Z: NumberFormat("binary_median", Z.median(0).values),
}
_BITS = {"float32": 32, "float16": 16, "int8": 8, "binary_zero": 1, "binary_median": 1}
FORMATS: tuple[str, ...] = tuple(_FITS)
