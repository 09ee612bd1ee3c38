"""Ridge probes for many subsets and regularisers: from moments alone, or from rows on the smaller side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from diffred_core.checks import check_positive, finite_features
from diffred_core.errors import InputError
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._problems import DEFAULT_MEMORY_BYTES, Solution, Subsets, as_problems, training_labels
from diffred_core.linear_probe.factor import class_targets, ridge_factor
from diffred_core.moments import FeatureMoments, accumulate
from diffred_core.moments.blocks import BLOCK_ROWS

ROUNDING = 1e-8  # relative residual of the normal equations below which a solve counts as exact


@torch.no_grad()
def fit_ridge(
    moments: FeatureMoments,
    *,
    subsets: Subsets | None = None,
    l2: float | Sequence[float] | Tensor,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> LinearProbe:
    """Fit ridge regression on one-hot labels for every subset and every `l2`, in float64.

    Minimises ``1/n ||Xc W - Yc||^2 + l2 ||W||^2`` (means over rows, so `l2` is comparable across n; scikit-learn's
    ``alpha`` is ``n * l2``; the intercept is free): ``W = (G_SS + n l2 I)^-1 B_S`` with the centred Gram matrix ``G``
    and ``B = X'Y``.

    Parameters
    ----------
    moments : FeatureMoments
        With class sums: ``moments.from_features(X, y)``.
    subsets : None, indices (k,), or several of them
        Features of each problem; ``None`` means all. A 2-D tensor or a sequence of index lists (sizes may differ) is a
        batch. Bool masks of all features are read as their indices.
    l2 : float, (n_l2,) or (n_l2, n_subsets)
        Several values give every subset every value; a 2-D tensor gives each subset its own values.
    memory_bytes : int
        Gram matrices held at once; more subsets are solved in several rounds.

    Returns
    -------
    LinearProbe
        `gradient_norm` is that of the objective; `converged` says whether it is rounding error; `iterations` is 0.

    Raises
    ------
    InputError
        Moments without class sums or of one class only, a subset with indices out of range or repeated, an `l2` below
        0, or an `l2` so small (0 included) that the Gram matrix of a subset is singular: the minimum-norm solution is
        not guessed.

    Notes
    -----
    A class without rows (`n_classes` above the largest label) has score 0 everywhere. A constant feature has weight 0.
    """
    check_positive(memory_bytes, name="memory_bytes")
    if int((class_targets(moments)[1] > 0).sum()) < 2:
        raise InputError("expected moments of rows of at least two classes, got one class; add rows of another class")
    problems = as_problems(subsets, l2, n_features=len(moments.mean), device=moments.mean.device, positive=False)
    return problems.solved(partial(solve_primal, moments), lambda k: 4 * 8 * k * k, memory_bytes)


def solve_primal(moments: FeatureMoments, features: Tensor, l2: Tensor) -> Solution:
    """Solve the subsets ``features (g, k)`` with regularisers ``l2 (n_l2, g)`` by their Gram matrices."""
    targets, share = class_targets(moments)
    gram, rhs = moments.gram[features[:, :, None], features[:, None, :]], targets[features]
    weight = torch.stack([torch.cholesky_solve(rhs, ridge_factor(gram.clone(), moments.n * row)) for row in l2])
    bias = share - torch.einsum("gk,lgkc->lgc", moments.mean[features], weight)
    residual = gram @ weight + moments.n * l2[..., None, None] * weight - rhs
    return exact_solution(weight, bias, residual, scale=rhs.abs().amax((-2, -1)), n=moments.n)


def exact_solution(weight: Tensor, bias: Tensor, residual: Tensor, *, scale: Tensor, n: int) -> Solution:
    """Return the solution with its certificate: the residual of the normal equations, beside their size `scale`."""
    norm = residual.abs().amax((-2, -1)) * (2 / n)
    return Solution(weight, bias, norm <= ROUNDING * scale * (2 / n), torch.zeros_like(norm, dtype=torch.int64), norm)


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

    Raises
    ------
    InputError
        As `fit_ridge`, of rows of one class too; with ``l2=0`` in the dual always, for it has no unique solution there.
    """
    X = finite_features(X)
    y, n_classes = training_labels(y, X, n_classes=n_classes)
    check_positive(memory_bytes, name="memory_bytes")
    problems = as_problems(subsets, l2, n_features=X.shape[1], device=X.device, positive=False)
    rows, n = RidgeRows(X, one_hot(y, n_classes).double()), len(X)
    return problems.solved(rows.solve, lambda k: 4 * 8 * (k * k if k <= n else n * (n + k)), memory_bytes)


class RidgeRows:
    """The rows in the two forms that a solve may need, each made at most once.

    The targets ``indicators (n_samples, n_columns)`` are 0 or 1, in float64: the one-hot labels of one task, or of
    several side by side. Columns do not see one another. ``plain`` are moments of the rows, where they are at hand.
    """

    def __init__(self, X: Tensor, indicators: Tensor, plain: FeatureMoments | None = None):
        self.X, self.indicators, self._plain = X, indicators, plain

    @cached_property
    def moments(self) -> FeatureMoments:
        # products in float64: those in float32 leave a low-rank Gram matrix without inverse up to l2 of 1e-5 variances
        blocks = (block.double() for block in self.X.split(BLOCK_ROWS))
        plain = accumulate(blocks, quartic=False) if self._plain is None else self._plain
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
