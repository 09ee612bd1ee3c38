"""Power sums of two blocks of columns, and what they become when the origin moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_STRIP_ROWS = 256  # of a matrix that is computed strip by strip, so that the terms of its formula take little memory


@dataclass(frozen=True, eq=False)
class PowerSums:
    """Sums over rows of products of x (p columns) and y (q columns), all float64, about some origin.

    Those of third and fourth order are None where only second moments are wanted. Where y is x, `xyy` is the transpose
    of `xxy` and not kept a second time.
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
    symmetric: bool = False  # y is x

    @classmethod
    def of_one(cls, n: int, x: Tensor, xx: Tensor, *, cubic: Tensor | None, quartic: Tensor | None) -> PowerSums:
        """Return the sums where y is x, from ``x (p,)`` and the products ``xx, cubic, quartic (p, p)``."""
        squares = xx.diagonal().clone()
        return cls(n=n, x=x, y=x, xx=squares, yy=squares, xy=xx, xxy=cubic, xxyy=quartic, symmetric=True)

    def about(self, dx: Tensor, dy: Tensor, *, in_place: bool = False) -> PowerSums:
        """Return the same sums of x - dx and y - dy, exactly: the binomials multiplied out, row sums put in.

        For instance ``sum (x_i - d_i)^2 (y_j - e_j) = sum (x_i^2 - 2 d_i x_i + d_i^2) (y_j - e_j)``. Fourth order
        needs third order, which needs second: that is why the third-order sums are carried at all. With `in_place`
        the matrices of these sums become those of the result, which halves the memory; these are then of no use.
        """
        n = self.n
        d, x, a = (v[:, None] for v in (dx, self.x, self.xx))
        e, y, b = (v[None, :] for v in (dy, self.y, self.yy))
        c, p, q = self.xy, self.xxy, self.xxyy
        r = p.T if p is not None and self.symmetric else self.xyy

        moved: dict[str, Tensor] = {}
        if p is not None and r is not None and q is not None:  # the highest first: each reads the old lower ones
            moved["xxyy"] = _by_strips(
                lambda i: (
                    (q[i] - 2 * e * p[i] - 2 * d[i] * r[i] + 4 * d[i] * e * c[i])
                    + (e**2 * a[i] + d[i] ** 2 * b)
                    - 2 * d[i] * e**2 * x[i]
                    - 2 * d[i] ** 2 * e * y
                    + n * d[i] ** 2 * e**2
                ),
                q,
                in_place=in_place,
            )
            moved["xxy"] = _by_strips(
                lambda i: p[i] - a[i] * e - 2 * d[i] * c[i] + 2 * d[i] * x[i] * e + d[i] ** 2 * y - n * d[i] ** 2 * e,
                p,
                in_place=in_place,
            )
            if not self.symmetric:
                moved["xyy"] = _by_strips(
                    lambda i: r[i] - d[i] * b - 2 * e * c[i] + 2 * e * y * d[i] + e**2 * x[i] - n * e**2 * d[i],
                    r,
                    in_place=in_place,
                )
        moved["xy"] = _by_strips(lambda i: c[i] - x[i] * e - d[i] * y + n * d[i] * e, c, in_place=in_place)
        return PowerSums(
            n,
            x=self.x - n * dx,
            y=self.y - n * dy,
            xx=self.xx - 2 * dx * self.x + n * dx**2,
            yy=self.yy - 2 * dy * self.y + n * dy**2,
            symmetric=self.symmetric,
            **moved,
        )

    def centred(self, *, in_place: bool = False) -> tuple[PowerSums, Tensor]:
        """Return the sums about the means of x and y (see `about`), and the mean of x, from the present origin."""
        mean_x = self.x / self.n
        return self.about(mean_x, self.y / self.n, in_place=in_place), mean_x

    def combined(self, other: PowerSums, *, sign: int = 1) -> PowerSums:
        """Return the sums over both sets of rows (`sign` -1: without the rows of `other`), same origin."""
        fields = ("x", "y", "xx", "yy", "xy", "xxy", "xyy", "xxyy")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in fields}
        return PowerSums(
            self.n + sign * other.n,
            **{k: torch.add(a, b, alpha=sign) for k, (a, b) in pairs.items() if a is not None and b is not None},
            symmetric=self.symmetric,
        )


def _by_strips(formula: Callable[[slice], Tensor], matrix: Tensor, *, in_place: bool) -> Tensor:
    """Return a matrix of the shape of `matrix`, or `matrix` itself, with `formula` of its rows in every strip."""
    result = matrix if in_place else torch.empty_like(matrix)
    for start in range(0, len(matrix), _STRIP_ROWS):
        rows = slice(start, start + _STRIP_ROWS)
        result[rows] = formula(rows)
    return result
