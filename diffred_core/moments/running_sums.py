"""Power sums that grow block by block, in float32 products and float64 totals."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.moments.blocks import add_product, column_mean, column_sum, mirrored
from diffred_core.moments.power_sums import PowerSums


@dataclass(frozen=True, eq=False)
class Unit:
    """Origin and scale in which rows are summed: (X - origin) * scale, of ordinary size whatever X is.

    The float64 origin goes in as two numbers of X's dtype. The first difference is exact where the mean dwarfs the
    spread (Sterbenz), the second removes what rounding the mean left, so mean/std = 1000 costs nothing in float32.
    The scale is one power of two, hence exact; it keeps fourth powers within float32 for features of any size.
    """

    origin: Tensor
    scale: float

    @classmethod
    def of(cls, block: Tensor, origin: Tensor | None = None) -> Unit:
        """Return the unit of a first block: its mean (or `origin`), and the size of its first deviations."""
        origin = column_mean(block) if origin is None else origin
        size = float(cls(origin, 1.0).apply(block[:256]).abs().mean())
        usable = math.isfinite(size) and size > 0
        return cls(origin, 2.0 ** -max(-120, min(120, round(math.log2(size)))) if usable else 1.0)

    def apply(self, block: Tensor) -> Tensor:
        """Return the rows of `block` in this unit, in their own dtype."""
        high = self.origin.to(block.dtype)
        low = (self.origin - high).to(block.dtype)
        return (block - high).sub_(low).mul_(self.scale)


class RunningSums:
    """Power sums of x and y to the order asked for; ``y is x`` everywhere for the sums of one layer.

    Parameters
    ----------
    shape : tuple of int
        Widths (p, q) of x and y.
    quartic, cubic : bool
        Whether the sums of fourth and of third order are wanted.
    device : torch.device
        Where the totals live.
    """

    def __init__(self, shape: tuple[int, int], *, quartic: bool, cubic: bool, device: torch.device):
        def zeros(*size: int) -> Tensor:
            return torch.zeros(*size, dtype=torch.float64, device=device)

        self.n = 0
        self.symmetric = True
        self.x, self.y, self.xx, self.yy = (zeros(width) for width in (*shape, *shape))
        self.xy = zeros(*shape)
        self.xxyy = zeros(*shape) if quartic else None
        self.xxy = zeros(*shape) if cubic else None
        self.xyy: Tensor | None = None  # from the first rows on whose y is not x

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add the rows of x and y, already in their units."""
        self.n += len(x)
        self.symmetric = x is y
        self.x += column_sum(x)
        add_product(self.xy, x, y)
        if self.xxyy is None and self.symmetric:
            return
        x2 = x * x
        y2 = x2 if self.symmetric else y * y
        if self.xxyy is not None:
            add_product(self.xxyy, x2, y2)
        if self.xxy is not None:
            add_product(self.xxy, x2, y)
        if not self.symmetric:
            self.y += column_sum(y)
            self.xx += column_sum(x2)
            self.yy += column_sum(y2)
            if self.xxy is not None:
                self.xyy = torch.zeros_like(self.xxy) if self.xyy is None else self.xyy
                add_product(self.xyy, x, y2)

    def power_sums(self) -> PowerSums:
        """Return what was summed, every entry filled in; the matrices are those that later rows are added to.

        Raises
        ------
        InputError
            If a sum is not finite.
        """
        if self.symmetric:
            quartic = None if self.xxyy is None else mirrored(self.xxyy)
            sums = PowerSums.of_one(self.n, self.x, mirrored(self.xy), cubic=self.xxy, quartic=quartic)
        else:
            sums = PowerSums(**{field.name: getattr(self, field.name) for field in fields(PowerSums)})
        highest = sums.xy if sums.xxyy is None else sums.xxyy
        if not bool(highest.isfinite().all()):
            raise InputError(
                "expected finite features, got NaN, infinity, or a fourth power beyond the range of the dtype; "
                "look for the bad rows with torch.isfinite(X).all(1), or pass float64"
            )
        return sums
