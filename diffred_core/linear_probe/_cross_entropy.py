"""Mean cross-entropy of many linear classifiers on subsets of the same rows: value, gradient and curvature.

The features of a subset are gathered, or read through the whole layer. Both are feature-major with a last row of ones,
for then both products of a gradient are several times faster on a CPU than with rows first (measured 3 to 4 times at
n=4,000, k=64 to 1,280, 10 classes).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.linear_probe.curvature import FullGram, inverse_curvature, weighted_gram

# Share of the features kept from which on reading them all is faster: measured at 10 classes, 20 subsets.
_MASKED_SHARE = 0.45
_NARROW = 32  # columns of weights up to which a product waits for the features rather than for the arithmetic


@dataclass(frozen=True, eq=False)
class Gathered:
    """A copy of the features of every subset, ``features (g, k + 1, n_samples)``; `owners` are those of operands."""

    features: Tensor

    @property
    def dtype(self) -> torch.dtype:
        return self.features.dtype

    def forward(self, weights: Tensor, owners: list[int], rows: slice) -> Tensor:
        """Return ``weights (m, n_classes, k + 1)`` times features: ``(m, n_classes, r)``."""
        return self._times(weights, self.features[:, :, rows], owners)

    def backward(self, residual: Tensor, owners: list[int], rows: slice) -> Tensor:
        """Return ``residual (m, n_classes, r)`` times transposed features: ``(m, n_classes, k + 1)``."""
        return self._times(residual, self.features[:, :, rows].mT, owners)

    def columns(self, subset: int) -> Tensor:
        """Return the features of one subset, ``(k + 1, n_samples)``."""
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

    One wide product for all problems instead of a narrow one for each subset, for as many reads as one subset needs;
    the methods are those of `Gathered`.
    """

    layer: Tensor
    kept: Tensor  # (g, k + 1): positions in `layer`, the ones last

    @property
    def dtype(self) -> torch.dtype:
        return self.layer.dtype

    def forward(self, weights: Tensor, owners: list[int], rows: slice) -> Tensor:
        wide = weights.new_zeros(*weights.shape[:2], len(self.layer)).scatter_(
            2, self._places(weights, owners), weights
        )
        return (wide.flatten(0, 1) @ self.layer[:, rows]).view(*weights.shape[:2], -1)

    def backward(self, residual: Tensor, owners: list[int], rows: slice) -> Tensor:
        wide = (residual.flatten(0, 1) @ self.layer[:, rows].T).view(*residual.shape[:2], -1)
        return wide.gather(2, self._places(residual, owners))

    def columns(self, subset: int) -> Tensor:
        return self.layer[self.kept[subset]]

    def _places(self, operand: Tensor, owners: list[int]) -> Tensor:
        return self.kept[owners][:, None].expand(-1, operand.shape[1], -1)


Design = Gathered | Masked


def prefers_masked(size: int, n_features: int, n_columns: int) -> bool:
    """Return whether `Masked` is faster for subsets of `size` with `n_columns` columns of weights each."""
    return size >= _MASKED_SHARE * n_features and n_columns < _NARROW


@dataclass(frozen=True, eq=False)
class CrossEntropy:
    """The problems of one group: ``g`` subsets of ``k`` features, each with ``n_l2`` regularisers.

    Problem ``p`` has subset ``p // n_l2``, so the problems of a subset are neighbours and share its features in one
    wide product. Parameters are ``theta (n_problems, n_classes, k + 1)``, the intercept last.
    """

    subsets: Tensor  # (g, k)
    design: Design  # the centred features of the subsets, float32 or float64
    y: Tensor  # (n_samples,)
    l2: Tensor  # (n_problems,) of float64
    rows: int  # whose logits are held at once
    full: FullGram | None = None  # used where it is cheaper than the Gram matrices of the subsets

    @property
    def penalty(self) -> Tensor:
        """Weight of every coordinate in the quadratic term, ``(n_problems, 1, k + 1)``: 0 for the intercept."""
        free = torch.ones(self.subsets.shape[1] + 1, dtype=self.l2.dtype, device=self.l2.device)
        free[-1] = 0
        return self.l2[:, None, None] * free

    def __call__(self, theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
        """Return the objective ``(m,)`` and its gradient, like `theta`, of the problems `members`, both float64."""
        n = len(self.y)
        value, gradient, owners = theta.new_zeros(len(theta)), torch.zeros_like(theta), self.owners(members)
        for block, label, log_likelihood, p in self._probabilities(theta, members):
            value -= log_likelihood.sum((1, 2), dtype=value.dtype)
            residual = p.scatter_add_(1, label, p.new_full((), -1.0).expand(label.shape))
            gradient += self.design.backward(residual, owners, block)
        penalty = self.penalty[members]
        value = value / n + (penalty * theta.square()).sum((1, 2)) / 2
        return value, gradient / n + penalty * theta

    def inverse_bound(self, members: Tensor) -> Tensor:
        """Return the inverses of Boehning's (1992) bound on the curvature, ``G/(2n) + l2``, ``(m, k + 1, k + 1)``."""
        owners = self.owners(members)
        full = self._full_if_cheaper(len(set(owners)))
        if full is not None:
            return self._inverse([self._part(full.half, s) for s in owners], members)
        half = self.l2.new_full((len(self.y),), 0.5, dtype=self.design.dtype)
        grams = {s: weighted_gram(self.design.columns(s), half) for s in set(owners)}
        return self._inverse([grams[s] for s in owners], members)

    def inverse_curvature(self, theta: Tensor, members: Tensor) -> Tensor:
        """Return the inverses of ``X' diag(v) X / n + l2`` with ``v = mean_c p_c (1 - p_c)`` at `theta`.

        The class-averaged diagonal of the Hessian: measured, it halves the iterations that the bound needs, and
        neither a matrix for every class nor a scale for every class does better. The regularisers of a subset share
        one Gram matrix: each has its own mean of ``v``, and all the same pattern over rows. Where one matrix of all
        features is cheaper than one for each subset, the subsets share the pattern too. Both take as many iterations,
        measured, and the Gram matrices were most of the time.
        """
        weight = self.l2.new_empty(len(theta), len(self.y), dtype=self.design.dtype)
        for block, _, _, p in self._probabilities(theta, members):
            weight[:, block] = (1 - p.square_().sum(1)) / p.shape[1]
        level = weight.mean(1).clamp_min_(torch.finfo(weight.dtype).tiny)
        pattern, owners = weight / level[:, None], self.owners(members)
        full = self._full_if_cheaper(len(set(owners)))
        if full is None:
            own = torch.tensor(owners, device=weight.device)
            grams = {s: weighted_gram(self.design.columns(s), pattern[own == s].mean(0)) for s in set(owners)}
        else:
            shared = full(pattern.mean(0))
            grams = {s: self._part(shared, s) for s in set(owners)}
        return self._inverse([grams[s] * mean for s, mean in zip(owners, level, strict=True)], members)

    def _full_if_cheaper(self, n_subsets: int) -> FullGram | None:
        full = self.full
        if full is None or n_subsets * self.subsets.shape[1] ** 2 <= len(full.mean) ** 2:
            return None
        return full

    def _part(self, gram: Tensor, subset: int) -> Tensor:
        kept = torch.cat([self.subsets[subset], self.subsets.new_tensor([len(gram) - 1])])  # the ones come last
        return gram[kept[:, None], kept]

    def _inverse(self, grams: list[Tensor], members: Tensor) -> Tensor:
        return inverse_curvature(torch.stack(grams), self.penalty[members])

    def _probabilities(self, theta: Tensor, members: Tensor) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
        """Yield rows, their labels ``(m, 1, r)``, the log-probabilities of these and all ``(m, n_classes, r)``.

        The exponential is the dearest of what is done to a logit, and this takes one; ``log_softmax`` and its
        exponential take two.
        """
        theta, owners = theta.to(self.design.dtype), self.owners(members)
        for row in range(0, len(self.y), self.rows):
            block = slice(row, row + self.rows)
            logits = self.design.forward(theta, owners, block)
            logits -= logits.amax(1, keepdim=True)
            label = self.y[block].expand(len(logits), 1, -1)
            at_label = logits.gather(1, label)
            total = logits.exp_().sum(1, keepdim=True)
            yield block, label, at_label - total.log(), logits.div_(total)

    @property
    def _n_l2(self) -> int:
        return len(self.l2) // len(self.subsets)

    def owners(self, members: Tensor) -> list[int]:
        """Return the subset of each of the problems ``members (m,)``."""
        return (members // self._n_l2).tolist()
