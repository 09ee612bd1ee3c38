"""Enlarging a whole batch at once, on any device, to the last bit as Pillow does."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

BITS = 22  # Pillow rounds its weights to integers of 2^-22: 32 bits less 8 of a byte and 2 for what overshoots


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.where(x < 1.0, 1.0 - x, 0.0)


def _cubic(x: np.ndarray) -> np.ndarray:
    a = -0.5
    near, far = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0, (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


KERNELS: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "bilinear": (1.0, _triangle),
    "bicubic": (2.0, _cubic),
}
"""Radius and weight at a distance of each interpolation that `resized` knows."""


@lru_cache(maxsize=256)
def weights(n_in: int, n_out: int, interpolation: str, device: torch.device) -> Tensor:
    """Return the weights of `n_in` pixels in each of `n_out`, (n_out, n_in): float64 integers, in units of 2^-22.

    They are kept on the device: sent there with every batch they would hold it up.

    Every operation is in the order in which Pillow's ``Resample.c`` has it, sums from left to right: a last bit would
    turn the rounding of a weight. Where pixels are lost Pillow widens the kernel and changes the order of its passes;
    `n_in` is at most `n_out` here.
    """
    radius, kernel = KERNELS[interpolation]
    centres = ((np.arange(n_out) + 0.5) * (n_in / n_out))[:, None]
    x = np.arange(n_in)[None]
    first, end = (np.trunc(centres + sign * radius + 0.5) for sign in (-1, 1))
    near = (x >= first) & (x < end)
    shares = np.where(near, kernel(np.abs(x - centres + 0.5)), 0.0)
    shares /= shares.cumsum(axis=1)[:, -1:]
    with torch.inference_mode(mode=False):
        return torch.from_numpy(np.trunc(shares * 2.0**BITS + np.copysign(0.5, shares))).to(device)


def resized(pixels: Tensor, *, to: tuple[int, int], corner: tuple[int, int], size: int, interpolation: str) -> Tensor:
    """Return bytes (n, channels, height, width) enlarged by Pillow's rules, and of that a square.

    Two products with integers below 2^53 in float64, which are exact whatever their order: each pass is rounded to
    bytes, across first, as Pillow does.

    Parameters
    ----------
    pixels : uint8 Tensor of shape (n, channels, height, width)
    to : (int, int)
        Height and width of the whole enlarged image, no less than those of `pixels`.
    corner : (int, int)
        Top and left of the square that is kept.
    size : int
        Pixels a side of the square.
    interpolation : {"bilinear", "bicubic"}

    Returns
    -------
    uint8 Tensor of shape (n, channels, size, size)
    """
    down, across = (
        weights(n_in, n_out, interpolation, pixels.device)[start : start + size]
        for n_in, n_out, start in zip(pixels.shape[-2:], to, corner, strict=True)
    )
    return _rounded(down @ _rounded(pixels.double() @ across.T)).to(torch.uint8)


def _rounded(sums: Tensor) -> Tensor:
    return sums.add_(2.0 ** (BITS - 1)).div_(2.0**BITS).floor_().clamp_(0.0, 255.0)
