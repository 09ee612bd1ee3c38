"""The features of many subsets as linear maps on the same rows: gathered, or read through the whole layer.

Both are feature-major with a last row of ones, for then both products of a gradient are several times faster on a CPU
than with rows first (measured 3 to 4 times at n=4,000, k=64 to 1,280, 10 classes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_MASKED_SHARE = (
    0.45  # of the features kept, from which on reading them all is faster: measured at 10 classes, 20 subsets
)
_NARROW = 32  # columns of weights up to which a product waits for the features rather than for the arithmetic


class Design(Protocol):
    """Products with the features ``(k + 1, n_samples)`` of ``g`` subsets; `owners` are the subsets of the operands."""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the products."""

    def forward(self, weights: Tensor, owners: list[int], rows: slice) -> Tensor:
        """Return ``weights (m, n_classes, k + 1)`` times features: ``(m, n_classes, r)``."""

    def backward(self, residual: Tensor, owners: list[int], rows: slice) -> Tensor:
        """Return ``residual (m, n_classes, r)`` times transposed features: ``(m, n_classes, k + 1)``."""

    def columns(self, subset: int) -> Tensor:
        """Return the features of one subset, ``(k + 1, n_samples)``."""


@dataclass(frozen=True, eq=False)
class Gathered:
    """A copy of the features of every subset, ``features (g, k + 1, n_samples)``."""

    features: Tensor

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the products."""
        return self.features.dtype

    def forward(self, weights: Tensor, owners: list[int], rows: slice) -> Tensor:
        """See `Design`."""
        return self._times(weights, self.features[:, :, rows], owners)

    def backward(self, residual: Tensor, owners: list[int], rows: slice) -> Tensor:
        """See `Design`."""
        return self._times(residual, self.features[:, :, rows].mT, owners)

    def columns(self, subset: int) -> Tensor:
        """See `Design`."""
        return self.features[subset]

    def _times(self, left: Tensor, right: Tensor, owners: list[int]) -> Tensor:
        every, times = len(right), len(left) // len(right)
        if owners == [s for s in range(every) for _ in range(times)]:
            return (left.reshape(every, -1, left.shape[2]) @ right).view(*left.shape[:2], -1)
        product, start = left.new_empty(*left.shape[:2], right.shape[2]), 0
        while start < len(owners):  # problems of a subset are neighbours
            at = slice(start, start + owners.count(owners[start]))
            product[at] = (left[at].flatten(0, 1) @ right[owners[start]]).view_as(product[at])
            start = at.stop
        return product


@dataclass(frozen=True, eq=False)
class Masked:
    """All features once, ``layer (n_features + 1, n_samples)``; a subset is its weights among zeros.

    One wide product for all problems instead of a narrow one for each subset, for as many reads as one subset needs.
    """

    layer: Tensor
    kept: Tensor  # (g, k + 1): positions in `layer`, the ones last

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the products."""
        return self.layer.dtype

    def forward(self, weights: Tensor, owners: list[int], rows: slice) -> Tensor:
        """See `Design`."""
        wide = weights.new_zeros(*weights.shape[:2], len(self.layer)).scatter_(
            2, self._places(weights, owners), weights
        )
        return (wide.flatten(0, 1) @ self.layer[:, rows]).view(*weights.shape[:2], -1)

    def backward(self, residual: Tensor, owners: list[int], rows: slice) -> Tensor:
        """See `Design`."""
        wide = (residual.flatten(0, 1) @ self.layer[:, rows].T).view(*residual.shape[:2], -1)
        return wide.gather(2, self._places(residual, owners))

    def columns(self, subset: int) -> Tensor:
        """See `Design`."""
        return self.layer[self.kept[subset]]

    def _places(self, operand: Tensor, owners: list[int]) -> Tensor:
        return self.kept[owners][:, None].expand(-1, operand.shape[1], -1)


def prefers_masked(size: int, n_features: int, n_columns: int) -> bool:
    """Return whether `Masked` is faster for subsets of `size` with `n_columns` columns of weights each."""
    return size >= _MASKED_SHARE * n_features and n_columns < _NARROW


def centred(columns: Tensor, mean: Tensor, dtype: torch.dtype) -> Tensor:
    """Return ``columns (k, n_samples)`` minus ``mean (k,)`` and a row of ones, ``(k + 1, n_samples)`` of `dtype`."""
    rows = torch.ones(len(columns) + 1, columns.shape[1], dtype=dtype, device=columns.device)
    wide = torch.promote_types(dtype, columns.dtype)
    torch.sub(columns.to(wide), mean.to(wide)[:, None], out=rows[:-1])
    return rows
