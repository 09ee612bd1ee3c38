"""Mean cross-entropy of many linear classifiers on subsets of the same rows: value, gradient and curvature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.linear_probe._design import Design
from diffred_core.linear_probe.curvature import FullGram, inverse_curvature, weighted_gram


@dataclass(frozen=True, eq=False)
class CrossEntropy:
    """The problems of one group: ``g`` subsets of ``k`` features, each with ``n_l2`` regularisers.

    Problem ``p`` has subset ``p // n_l2``, so the problems of a subset are neighbours and share its features in one
    wide product. Parameters are ``theta (n_problems, n_classes, k + 1)``, the intercept last: the features carry a
    row of ones.

    Attributes
    ----------
    subsets : Tensor (g, k) of int64
    design : Design
        The centred features of the subsets, with the row of ones; float32 or float64.
    y : LongTensor (n_samples,)
    l2 : Tensor (n_problems,) of float64
    rows : int
        Rows whose logits are held at once.
    full : FullGram, optional
        Gram matrices of all features, used where they are cheaper than those of the subsets.
    """

    subsets: Tensor
    design: Design
    y: Tensor
    l2: Tensor
    rows: int
    full: FullGram | None = None

    @property
    def penalty(self) -> Tensor:
        """Weight of every coordinate in the quadratic term, ``(n_problems, 1, k + 1)``: 0 for the intercept."""
        free = torch.ones(self.subsets.shape[1] + 1, dtype=self.l2.dtype, device=self.l2.device)
        free[-1] = 0
        return self.l2[:, None, None] * free

    def __call__(self, theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
        """Return the objective ``(m,)`` and its gradient, like `theta`, of the problems `members`, both float64."""
        n = len(self.y)
        value, gradient, owners = theta.new_zeros(len(theta)), torch.zeros_like(theta), self._owners(members)
        for block, logp in self._log_probabilities(theta, members):
            label = self.y[block].expand(len(logp), 1, -1)
            value -= logp.gather(1, label).sum((1, 2), dtype=value.dtype)
            residual = logp.exp_().scatter_add_(1, label, logp.new_full((), -1.0).expand(label.shape))
            gradient += self.design.backward(residual, owners, block)
        penalty = self.penalty[members]
        value = value / n + (penalty * theta.square()).sum((1, 2)) / 2
        return value, gradient / n + penalty * theta

    def inverse_bound(self, members: Tensor) -> Tensor:
        """Return the inverses of Boehning's (1992) bound on the curvature, ``G/(2n) + l2``, ``(m, k + 1, k + 1)``."""
        owners = self._owners(members)
        gram = self._full_if_cheaper(len(set(owners)), 1)
        if gram is not None:
            return self._inverse([self._part(gram.half, s) for s in owners], members)
        half = self.l2.new_full((len(self.y),), 0.5, dtype=self.design.dtype)
        grams = {s: weighted_gram(self.design.columns(s), half) for s in set(owners)}
        return self._inverse([grams[s] for s in owners], members)

    def inverse_curvature(self, theta: Tensor, members: Tensor) -> Tensor:
        """Return the inverses of ``X' diag(v) X / n + l2`` with ``v = mean_c p_c (1 - p_c)`` at `theta`.

        The class-averaged diagonal of the Hessian: measured, it halves the iterations that the bound needs, and
        neither a matrix for every class nor a scale for every class does better. Where one Gram matrix of all features
        is cheaper than one for each subset, ``v`` is averaged over the problems of an l2: as many iterations, measured.
        """
        weight = self.l2.new_empty(len(theta), len(self.y), dtype=self.design.dtype)
        for block, logp in self._log_probabilities(theta, members):
            weight[:, block] = (1 - logp.exp_().square_().sum(1)) / logp.shape[1]
        owners, levels = self._owners(members), (members % self._n_l2).tolist()
        gram = self._full_if_cheaper(len(owners), len(set(levels)))
        if gram is None:
            return self._inverse(
                [weighted_gram(self.design.columns(s), w) for s, w in zip(owners, weight, strict=True)], members
            )
        full = {
            level: gram(weight[[i for i, other in enumerate(levels) if other == level]].mean(0))
            for level in set(levels)
        }
        return self._inverse([self._part(full[lv], s) for lv, s in zip(levels, owners, strict=True)], members)

    def _full_if_cheaper(self, n_own: int, n_full: int) -> FullGram | None:
        full = self.full
        if full is None or n_own * self.subsets.shape[1] ** 2 <= n_full * len(full.mean) ** 2:
            return None
        return full

    def _part(self, gram: Tensor, subset: int) -> Tensor:
        kept = torch.cat([self.subsets[subset], self.subsets.new_tensor([len(gram) - 1])])  # the ones come last
        return gram[kept[:, None], kept]

    def _inverse(self, grams: list[Tensor], members: Tensor) -> Tensor:
        return inverse_curvature(torch.stack(grams), self.penalty[members])

    def _log_probabilities(self, theta: Tensor, members: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield rows and their log-probabilities ``(m, n_classes, r)``."""
        theta, owners = theta.to(self.design.dtype), self._owners(members)
        for row in range(0, len(self.y), self.rows):
            block = slice(row, row + self.rows)
            yield block, self.design.forward(theta, owners, block).log_softmax(1)

    @property
    def _n_l2(self) -> int:
        return len(self.l2) // len(self.subsets)

    def _owners(self, members: Tensor) -> list[int]:
        return (members // self._n_l2).tolist()
