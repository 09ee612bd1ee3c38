"""Mean cross-entropy of many linear classifiers on subsets of the same rows: value, gradient and curvature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.linear_probe._curvature import FullGram, inverse_curvature, weighted_gram


@dataclass(frozen=True, eq=False)
class CrossEntropy:
    """The problems of one group: ``g`` subsets of ``k`` features, each with ``n_l2`` regularisers.

    Problem ``p`` has subset ``p // n_l2``, so the problems of a subset are neighbours and share its features in one
    wide product. Parameters are ``theta (n_problems, n_classes, k + 1)``, the intercept last: the features carry a
    row of ones. Features are feature-major, for then both products of a gradient are several times faster on a CPU
    than with rows first (measured 3 to 4 times at n=4,000, k=64 to 1,280, 10 classes).

    Attributes
    ----------
    features : list of Tensor (k + 1, n_samples)
        Centred, with the row of ones; float32 or float64.
    y : LongTensor (n_samples,)
    l2 : Tensor (n_problems,) of float64
    rows : int
        Rows whose logits are held at once.
    subsets : Tensor (g, k) of int64, optional
        Which features they are; with `full`.
    full : FullGram, optional
        Gram matrices of all features, used where they are cheaper than those of the subsets.
    """

    features: list[Tensor]
    y: Tensor
    l2: Tensor
    rows: int
    subsets: Tensor | None = None
    full: FullGram | None = None

    @property
    def penalty(self) -> Tensor:
        """Weight of every coordinate in the quadratic term, ``(n_problems, 1, k + 1)``: 0 for the intercept."""
        free = torch.ones(len(self.features[0]), dtype=self.l2.dtype, device=self.l2.device)
        free[-1] = 0
        return self.l2[:, None, None] * free

    def __call__(self, theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
        """Return the objective ``(m,)`` and its gradient, like `theta`, of the problems `members`, both float64."""
        n = len(self.y)
        value, gradient = theta.new_zeros(len(theta)), torch.zeros_like(theta)
        for at, X, block, logp in self._log_probabilities(theta, members):
            label = self.y[block].expand(len(logp), 1, -1)
            value[at] -= logp.gather(1, label).sum((1, 2), dtype=value.dtype)
            residual = logp.exp_().scatter_add_(1, label, logp.new_full((), -1.0).expand(label.shape))
            gradient[at] += (residual.flatten(0, 1) @ X.T).view_as(gradient[at])
        penalty = self.penalty[members]
        value = value / n + (penalty * theta.square()).sum((1, 2)) / 2
        return value, gradient / n + penalty * theta

    def inverse_bound(self, members: Tensor) -> Tensor:
        """Return the inverses of Boehning's (1992) bound on the curvature, ``G/(2n) + l2``, ``(m, k + 1, k + 1)``."""
        owners = self._owners(members)
        if self._full_is_cheaper(len(set(owners)), 1):
            return self._inverse([self._part(self.full.half, s) for s in owners], members)
        half = self.features[0].new_full((len(self.y),), 0.5)
        grams = {s: weighted_gram(self.features[s], half) for s in set(owners)}
        return self._inverse([grams[s] for s in owners], members)

    def inverse_curvature(self, theta: Tensor, members: Tensor) -> Tensor:
        """Return the inverses of ``X' diag(v) X / n + l2`` with ``v = mean_c p_c (1 - p_c)`` at `theta`.

        The class-averaged diagonal of the Hessian: measured, it halves the iterations that the bound needs, and
        neither a matrix for every class nor a scale for every class does better. Where one Gram matrix of all features
        is cheaper than one for each subset, ``v`` is averaged over the problems of an l2: as many iterations, measured.
        """
        weight = self.features[0].new_empty(len(theta), len(self.y))
        for at, _, block, logp in self._log_probabilities(theta, members):
            weight[at, block] = (1 - logp.exp_().square_().sum(1)) / logp.shape[1]
        owners, levels = self._owners(members), (members % self._n_l2).tolist()
        if not self._full_is_cheaper(len(owners), len(set(levels))):
            return self._inverse(
                [weighted_gram(self.features[s], w) for s, w in zip(owners, weight, strict=True)], members
            )
        full = {
            level: self.full(weight[[i for i, other in enumerate(levels) if other == level]].mean(0))
            for level in set(levels)
        }
        return self._inverse([self._part(full[lv], s) for lv, s in zip(levels, owners, strict=True)], members)

    def _full_is_cheaper(self, n_own: int, n_full: int) -> bool:
        return self.full is not None and n_own * len(self.features[0]) ** 2 > n_full * len(self.full.mean) ** 2

    def _part(self, gram: Tensor, subset: int) -> Tensor:
        kept = torch.cat([self.subsets[subset], self.subsets.new_tensor([len(gram) - 1])])  # the ones come last
        return gram[kept[:, None], kept]

    def _inverse(self, grams: list[Tensor], members: Tensor) -> Tensor:
        return inverse_curvature(torch.stack(grams), self.penalty[members])

    def _log_probabilities(self, theta: Tensor, members: Tensor) -> Iterator[tuple[slice, Tensor, slice, Tensor]]:
        """Yield positions in `theta`, features ``(k + 1, r)``, rows, and log-probabilities ``(m, n_classes, r)``."""
        owners, start = self._owners(members), 0
        while start < len(owners):
            stop = start + owners[start:].count(owners[start])
            at, columns = slice(start, stop), self.features[owners[start]]
            weights = theta[at].to(columns.dtype).flatten(0, 1)
            for row in range(0, len(self.y), self.rows):
                block = slice(row, row + self.rows)
                X = columns[:, block]
                logits = (weights @ X).view(stop - start, -1, X.shape[1])
                yield at, X, block, logits.log_softmax(1)
            start = stop

    @property
    def _n_l2(self) -> int:
        return len(self.l2) // len(self.features)

    def _owners(self, members: Tensor) -> list[int]:
        return (members // self._n_l2).tolist()
