"""Power sums of two blocks of columns: grown block by block, and moved to another origin.

Products run in the dtype of the rows, totals are float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.moments.blocks import add_product, column_mean, column_sum, mirrored


@dataclass(frozen=True, eq=False)
class PowerSums:
    """Sums over rows of products of x (p columns) and y (q columns), all float64, about some origin.

    The four of third and fourth order are None where only second moments are wanted.
    """

    n: int
    x: Tensor  # (p,)    sum x_i
    y: Tensor  # (q,)    sum y_j
    xx: Tensor  # (p,)   sum x_i^2
    yy: Tensor  # (q,)   sum y_j^2
    xy: Tensor  # (p, q) sum x_i y_j
    xxy: Tensor | None = None  # (p, q) sum x_i^2 y_j
    xyy: Tensor | None = None  # (p, q) sum x_i y_j^2
    xxyy: Tensor | None = None  # (p, q) sum x_i^2 y_j^2

    def about(self, dx: Tensor, dy: Tensor) -> PowerSums:
        """Return the same sums of x - dx and y - dy, exactly: the binomials multiplied out, row sums put in.

        For instance ``sum (x_i - d_i)^2 (y_j - e_j) = sum (x_i^2 - 2 d_i x_i + d_i^2) (y_j - e_j)``. Fourth order
        needs third order, which needs second: that is why the third-order sums are carried at all.
        """
        d, e, n = dx[:, None], dy[None, :], self.n
        x, y, a, b = self.x[:, None], self.y[None, :], self.xx[:, None], self.yy[None, :]
        moved: dict[str, Tensor] = {
            "x": self.x - n * dx,
            "y": self.y - n * dy,
            "xx": self.xx - 2 * dx * self.x + n * dx**2,
            "yy": self.yy - 2 * dy * self.y + n * dy**2,
            "xy": self.xy - x * e - d * y + n * d * e,
        }
        c, p, r, q = self.xy, self.xxy, self.xyy, self.xxyy
        if p is not None and r is not None and q is not None:
            moved["xxy"] = p - a * e - 2 * d * c + 2 * d * x * e + d**2 * y - n * d**2 * e
            moved["xyy"] = r - d * b - 2 * e * c + 2 * e * y * d + e**2 * x - n * e**2 * d
            moved["xxyy"] = (
                (q - 2 * e * p - 2 * d * r + 4 * d * e * c)
                + (e**2 * a + d**2 * b)
                - 2 * d * e**2 * x
                - 2 * d**2 * e * y
                + n * d**2 * e**2
            )
        return PowerSums(n, **moved)

    def centred(self) -> tuple[PowerSums, Tensor]:
        """Return the sums about the means of x and y, and the mean of x (relative to the present origin)."""
        mean_x = self.x / self.n
        return self.about(mean_x, self.y / self.n), mean_x

    def combined(self, other: PowerSums, *, sign: int = 1) -> PowerSums:
        """Return the sums over both sets of rows (`sign` -1: without the rows of `other`), same origin."""
        fields = ("x", "y", "xx", "yy", "xy", "xxy", "xyy", "xxyy")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in fields}
        return PowerSums(
            self.n + sign * other.n,
            **{k: torch.add(a, b, alpha=sign) for k, (a, b) in pairs.items() if a is not None and b is not None},
        )


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
    """Power sums of x and y, of widths `shape` and to the order wanted; ``y is x`` for the sums of one layer."""

    def __init__(self, shape: tuple[int, int], *, quartic: bool, cubic: bool, device: torch.device):
        def zeros(*size: int) -> Tensor:
            return torch.zeros(*size, dtype=torch.float64, device=device)

        self.n = 0
        self.symmetric = True
        self.x, self.y, self.xx, self.yy = (zeros(width) for width in (*shape, *shape))
        self.xy = zeros(*shape)
        self.xxyy = zeros(*shape) if quartic else None
        self.xxy = zeros(*shape) if cubic else None
        self.xyy = zeros(*shape) if cubic else None

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
            if self.xyy is not None:
                add_product(self.xyy, x, y2)

    def power_sums(self) -> PowerSums:
        """Return what was summed, every entry filled in.

        Raises
        ------
        InputError
            If a sum is not finite.
        """
        if not self.symmetric:
            sums = PowerSums(self.n, self.x, self.y, self.xx, self.yy, self.xy, self.xxy, self.xyy, self.xxyy)
        else:
            xy = mirrored(self.xy)
            xxyy = None if self.xxyy is None else mirrored(self.xxyy)
            xyy = None if self.xxy is None else self.xxy.T
            sums = PowerSums(self.n, self.x, self.x, xy.diagonal(), xy.diagonal(), xy, self.xxy, xyy, xxyy)
        highest = sums.xy if sums.xxyy is None else sums.xxyy
        if not bool(highest.isfinite().all()):
            raise InputError(
                "expected finite features, got NaN, infinity, or a fourth power beyond the range of the dtype; "
                "look for the bad rows with torch.isfinite(X).all(1), or pass float64"
            )
        return sums
