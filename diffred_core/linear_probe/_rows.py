"""Ridge probes from rows: the n x n dual where there are fewer rows than features, else the moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from diffred_core import moments
from diffred_core.checks import check_positive, finite_features
from diffred_core.linear_probe._checks import DEFAULT_MEMORY_BYTES, class_labels
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._problems import Solution, Subsets, as_problems
from diffred_core.linear_probe._ridge import exact_solution, solve_primal
from diffred_core.linear_probe.factor import ridge_factor
from diffred_core.moments.blocks import BLOCK_ROWS


@torch.no_grad()
def fit_ridge_rows(
    X: Tensor,
    y: Tensor,
    *,
    subsets: Subsets | None = None,
    l2: float | Sequence[float] | Tensor,
    n_classes: int | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> LinearProbe:
    """Fit the probes of `fit_ridge` from rows, each on the smaller side: ``k x k``, or ``n x n`` where ``n < k``.

    The dual is ``W = Xc_S' (Xc_S Xc_S' + n l2 I)^-1 Yc``. Few shots of a wide layer never build a Gram matrix of
    the features.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
    y : Tensor (n_samples,) of int64
    n_classes : int, optional
        By default one more than the largest label.
    subsets, l2, memory_bytes
        As in `fit_ridge`.

    Returns
    -------
    LinearProbe

    Raises
    ------
    InputError
        As `fit_ridge`; with ``l2=0`` in the dual always, for it has no unique solution there.
    """
    X = finite_features(X)
    y, n_classes = class_labels(y, X, n_classes=n_classes)
    check_positive(memory_bytes, name="memory_bytes")
    problems = as_problems(subsets, l2, n_features=X.shape[1], device=X.device, positive=False)
    rows, n = RidgeRows(X, one_hot(y, n_classes).double()), len(X)
    solutions = [
        (at, rows.solve(features, problems.l2[:, at.to(X.device)]))
        for at, features in problems.groups(lambda k: 4 * 8 * (k * k if k <= n else n * (n + k)), memory_bytes)
    ]
    return problems.probe(solutions, n_classes)


class RidgeRows:
    """The rows in the two forms that a solve may need, each made at most once.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
    indicators : Tensor (n_samples, n_columns) of float64
        Targets in {0, 1}: the one-hot labels of one task, or of several side by side. Columns do not see one another.
    """

    def __init__(self, X: Tensor, indicators: Tensor):
        self.X, self.indicators = X, indicators

    @cached_property
    def moments(self) -> moments.FeatureMoments:
        # products in float64: those in float32 leave a low-rank Gram matrix without inverse up to l2 of 1e-5 variances
        plain = moments.accumulate((block.double() for block in self.X.split(BLOCK_ROWS)), quartic=False)
        pairs = zip(self.X.split(BLOCK_ROWS), self.indicators.split(BLOCK_ROWS), strict=True)
        sums = sum(columns.T @ (block.double() - plain.mean) for block, columns in pairs)
        return replace(plain, class_sums=sums, class_counts=self.indicators.sum(0))

    @cached_property
    def mean(self) -> Tensor:
        return self.X.mean(0, dtype=torch.float64)

    @cached_property
    def share(self) -> Tensor:
        return self.indicators.mean(0)

    def solve(self, features: Tensor, l2: Tensor) -> Solution:
        """Solve the subsets ``features (g, k)`` with regularisers ``l2 (n_l2, g)`` on the smaller side."""
        if features.shape[1] <= len(self.X):
            return solve_primal(self.moments, features, l2)
        return self._solve_dual(features, l2)

    def _solve_dual(self, features: Tensor, l2: Tensor) -> Solution:
        n = len(self.X)
        X = (self.X[:, features].double() - self.mean[features]).transpose(0, 1)
        targets = self.indicators - self.share
        kernel, targets = X @ X.mT, targets.expand(len(X), -1, -1)
        dual = [torch.cholesky_solve(targets, ridge_factor(kernel.clone(), n * row)) for row in l2]
        weight = torch.stack([X.mT @ alpha for alpha in dual])
        bias = self.share - torch.einsum("gk,lgkc->lgc", self.mean[features], weight)
        residual = X.mT @ (X @ weight - targets) + n * l2[..., None, None] * weight
        return exact_solution(weight, bias, residual, scale=(X.mT @ targets).abs().amax((-2, -1)), n=n)
