"""Power sums of two blocks of columns, and what they become when the origin moves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


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

    @classmethod
    def of_one(cls, n: int, x: Tensor, xx: Tensor, *, cubic: Tensor | None, quartic: Tensor | None) -> PowerSums:
        """Return the sums where y is x, from ``x (p,)`` and the products ``xx, cubic, quartic (p, p)``."""
        squares, mirrored = xx.diagonal(), None if cubic is None else cubic.T
        return cls(n=n, x=x, y=x, xx=squares, yy=squares, xy=xx, xxy=cubic, xyy=mirrored, xxyy=quartic)

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
