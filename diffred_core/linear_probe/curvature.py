"""Weighted Gram matrices and their inverses: the preconditioners of the logistic probes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

_STRIPS = 4  # of a symmetric product only the lower 10 of 16 tiles are computed


@dataclass(frozen=True, eq=False)
class FullGram:
    """Weighted Gram matrices of all features, of which those of any subset are parts.

    A product over all ``d`` features serves every subset at once, so it is the cheaper one as soon as the squared
    sizes of the subsets sum to more than ``d ** 2``.

    Attributes
    ----------
    columns : Tensor (n_features, n_samples)
        The features, not centred.
    mean : Tensor (n_features,) of float64
    dtype : torch.dtype
        Of the result.
    rows : int
        Rows that are centred and weighted at once.
    """

    columns: Tensor
    mean: Tensor
    dtype: torch.dtype
    rows: int

    def __call__(self, weight: Tensor) -> Tensor:
        """Return ``X' diag(weight) X / n``, ``(n_features + 1, n_features + 1)``: centred features, then ones."""
        size = len(self.columns) + 1
        gram = self.mean.new_zeros(size, size, dtype=self.dtype)
        for row in range(0, len(weight), self.rows):
            block = slice(row, row + self.rows)
            part = centred(self.columns[:, block], self.mean, self.dtype)
            gram += weighted_gram(part, weight[block]) * (len(weight[block]) / len(weight))
        return gram.tril_() + gram.tril(-1).T

    @cached_property
    def half(self) -> Tensor:
        """The matrix of Boehning's bound, every weight one half."""
        return self(self.mean.new_full((self.columns.shape[1],), 0.5, dtype=self.dtype))


def weighted_gram(X: Tensor, weight: Tensor) -> Tensor:
    """Return the lower triangle of ``X diag(weight) X' / n`` for feature-major `X`; what is above is not defined."""
    weighted, size = X * (weight / X.shape[1]), len(X)
    gram, width = X.new_zeros(size, size), -(-size // _STRIPS)
    for start in range(0, size, width):
        stop = start + width
        gram[start:stop, :stop] = weighted[start:stop] @ X[:stop].T
    return gram


def inverse_curvature(gram: Tensor, penalty: Tensor) -> Tensor:
    """Return the inverses of ``gram (m, w, w)``, overwritten, plus the diagonal ``penalty (m, 1, w)``.

    Only the lower triangles are read. A preconditioner need not be exact, but must exist.
    """
    diagonal = gram.diagonal(dim1=1, dim2=2)
    diagonal += penalty.squeeze(1).to(gram.dtype)
    # so that it exists where l2 is lost in the rounding of the Gram matrix; in proportion to each feature's own entry,
    # so that features of small scale are not lost beside large ones
    diagonal *= 1 + gram.shape[-1] * torch.finfo(gram.dtype).eps
    lower, failed = torch.linalg.cholesky_ex(gram)
    inverse = torch.cholesky_inverse(lower)
    lost = failed > 0
    inverse[lost] = torch.diag_embed(1 / diagonal[lost].clamp_min(torch.finfo(gram.dtype).tiny))
    return inverse


def centred(columns: Tensor, mean: Tensor, dtype: torch.dtype) -> Tensor:
    """Return ``columns (k, n_samples)`` minus ``mean (k,)`` and a row of ones, ``(k + 1, n_samples)`` of `dtype`."""
    rows = torch.ones(len(columns) + 1, columns.shape[1], dtype=dtype, device=columns.device)
    wide = torch.promote_types(dtype, columns.dtype)
    torch.sub(columns.to(wide), mean.to(wide)[:, None], out=rows[:-1])
    return rows
