"""The ridge probe at every prefix size of one order, from one Cholesky factor.

With ``L L' = G_pp + n l2 I`` for the features in the order ``p``, ``z = L^-1 B_p`` and ``P = Xc_p L^-T``, the leading
``k x k`` block of ``L`` is the factor of the first ``k`` features, so the scores of their probe are ``P[:, :k] z[:k]``:
a running sum over columns. Solving for the largest size solves for all. For few sizes and many rows the weights
``W_k = L_kk^-T z[:k]`` cost less than ``P``, for which all rows pass through the factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from diffred_core.checks import check_positive, finite_features
from diffred_core.errors import InputError
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._problems import DEFAULT_MEMORY_BYTES, as_problems, class_labels, l2_values
from diffred_core.linear_probe._ridge import exact_solution
from diffred_core.linear_probe.factor import class_targets, ridge_factor
from diffred_core.moments import FeatureMoments
from diffred_core.subsets import check_order


@torch.no_grad()
def ridge_curve(
    moments: FeatureMoments,
    X: Tensor,
    y: Tensor,
    *,
    order: Tensor,
    sizes: Sequence[int],
    l2: float | Sequence[float] | Tensor,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Tensor:
    """Return the accuracy on ``X, y`` of the ridge probe on every prefix of `order`.

    Parameters
    ----------
    moments : FeatureMoments
        Of the training rows, with class sums.
    X : Tensor (n_samples, n_features)
        Rows to score; usually not the training rows.
    y : Tensor (n_samples,) of int64
    order : LongTensor (n_features,)
        A permutation of the features.
    sizes : (n_sizes,)
        Prefix sizes in any order, each from 1 to n_features.
    l2 : float or (n_l2,)
        As in `fit_ridge`; the same value at every size.
    memory_bytes : int
        Bound on the float64 working copy of the rows, which are taken in several rounds if need be.

    Returns
    -------
    Tensor (n_sizes,) or (n_l2, n_sizes) of float64

    Raises
    ------
    InputError
        As `fit_ridge`; an `order` that is no permutation, sizes or labels out of range.
    """
    curve = _Curve(moments, order, sizes, l2, memory_bytes)
    X = finite_features(X, n_features=len(moments.mean))
    y, _ = class_labels(y, X, n_classes=class_targets(moments)[0].shape[1])
    hits = curve.empty(dtype=torch.int64).zero_()
    for at, rows, scores in curve.walk(X):
        hits[at] += (scores.argmax(1) == y[rows]).sum()
    return curve.arranged(hits.double() / len(X))


@torch.no_grad()
def ridge_curve_predictions(
    moments: FeatureMoments,
    X: Tensor,
    *,
    order: Tensor,
    sizes: Sequence[int],
    l2: float | Sequence[float] | Tensor,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Tensor:
    """Return the predicted classes on `X` of the ridge probe on every prefix of `order`; arguments of `ridge_curve`.

    Returns
    -------
    Tensor (n_sizes, n_samples) or (n_l2, n_sizes, n_samples) of int64
    """
    curve = _Curve(moments, order, sizes, l2, memory_bytes)
    X = finite_features(X, n_features=len(moments.mean))
    predictions = curve.empty(len(X), dtype=torch.int64)
    for at, rows, scores in curve.walk(X):
        torch.argmax(scores, 1, out=predictions[at][rows])
    return curve.arranged(predictions)


@torch.no_grad()
def ridge_curve_scores(
    moments: FeatureMoments,
    X: Tensor,
    *,
    order: Tensor,
    sizes: Sequence[int],
    l2: float | Sequence[float] | Tensor,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Tensor:
    """Return the class scores on `X` of the ridge probe on every prefix of `order`; arguments of `ridge_curve`.

    Returns
    -------
    Tensor (n_sizes, n_samples, n_classes) or (n_l2, n_sizes, n_samples, n_classes) of float64
    """
    curve = _Curve(moments, order, sizes, l2, memory_bytes)
    X = finite_features(X, n_features=len(moments.mean))
    every = curve.empty(len(X), class_targets(moments)[0].shape[1], dtype=torch.float64)
    for at, rows, scores in curve.walk(X):
        every[at][rows] = scores
    return curve.arranged(every)


@torch.no_grad()
def fit_ridge_prefixes(
    moments: FeatureMoments,
    *,
    order: Tensor,
    sizes: Sequence[int],
    l2: float | Sequence[float] | Tensor,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> LinearProbe:
    """Fit the ridge probe on every prefix of `order`: `fit_ridge` on nested subsets, by one factor for each `l2`.

    Parameters
    ----------
    moments, order, sizes, l2, memory_bytes
        As in `ridge_curve`; one factor is held at a time.

    Returns
    -------
    LinearProbe of batch shape (n_sizes,) or (n_l2, n_sizes)
        As from ``fit_ridge(moments, subsets=[order[:k] for k in sizes], l2=l2)``.

    Raises
    ------
    InputError
        As `ridge_curve`.
    """
    curve = _Curve(moments, order, sizes, l2, memory_bytes)
    prefixes = [curve.features[:k] for k in sizes]
    problems = as_problems(prefixes, l2, n_features=len(moments.mean), device=curve.features.device, positive=False)
    weights = [
        [torch.linalg.solve_triangular(factor.lower[:k, :k].mT, factor.targets[:k], upper=True) for k in sizes]
        for factor in curve.factors()
    ]
    targets, share = class_targets(moments)
    solutions = []
    for j, (k, prefix) in enumerate(zip(sizes, prefixes, strict=True)):
        weight, rhs = torch.stack([path[j] for path in weights])[:, None], targets[prefix]
        residual = curve.gram[:k, :k] @ weight + moments.n * problems.l2[:, j, None, None, None] * weight - rhs
        bias = share - moments.mean[prefix] @ weight
        scale = rhs.abs().amax()
        solutions.append((torch.tensor([j]), exact_solution(weight, bias, residual, scale=scale, n=moments.n)))
    return problems.probe(solutions)


@torch.no_grad()
def ridge_loo(
    moments: FeatureMoments,
    X: Tensor,
    y: Tensor,
    *,
    l2: float | Sequence[float] | Tensor,
    order: Tensor | None = None,
    sizes: Sequence[int] | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Tensor:
    """Return the leave-one-out accuracy of the ridge probe: `l2` can be chosen by it without a validation set.

    The closed form needs only the factor of `ridge_curve`. The fitted scores are ``H Y`` with ``H = 11'/n + P P'``
    (``P`` as there), so the leverages are ``h = 1/n + row norms of P[:, :k]``, a running sum over columns like the
    scores, and the score of a row by the probe fitted without it is ``(score - h y) / (1 - h)``. The fit without a row
    keeps the penalty ``n l2 ||W||^2`` and has its own intercept.

    Parameters
    ----------
    moments : FeatureMoments
        Of exactly the rows `X`, with class sums.
    X : Tensor (n_samples, n_features)
        The training rows.
    y : Tensor (n_samples,) of int64
    l2 : float or (n_l2,)
    order, sizes
        As in `ridge_curve`; left out: one value, for all features.
    memory_bytes
        As in `ridge_curve`.

    Returns
    -------
    Tensor of float64
        ``()`` or ``(n_sizes,)``, behind ``(n_l2,)`` for several `l2`.

    Raises
    ------
    InputError
        As `ridge_curve`, and when `X` has not as many rows as the moments.
    """
    X = finite_features(X, n_features=len(moments.mean))
    y, _ = class_labels(y, X, n_classes=class_targets(moments)[0].shape[1])
    if len(X) != moments.n:
        raise InputError(f"expected the {moments.n} rows of the moments in X, got {len(X)}; pass the training rows")
    order = torch.arange(X.shape[1]) if order is None else order
    curve = _Curve(moments, order, [X.shape[1]] if sizes is None else sizes, l2, memory_bytes)
    hits = curve.empty(dtype=torch.int64).zero_()
    for i, factor in enumerate(curve.factors()):
        for rows in curve.blocks(len(X)):
            hits[i] += torch.stack(list(_hits(factor, X[rows], y[rows], curve.sizes, moments.n)))
    accuracy = curve.arranged(hits.double() / len(X))
    return accuracy[..., 0] if sizes is None else accuracy


def _hits(factor: _Factor, X: Tensor, y: Tensor, sizes: Sequence[int], n: int) -> Iterator[Tensor]:
    """Yield, at every size, how many rows the probe fitted without them predicts right."""
    projection = factor.project(X)
    leverage = torch.full_like(projection[:, 0], 1 / n)
    for scores, start, stop in zip(factor.scores(projection, sizes), [0, *sizes], sizes, strict=False):
        leverage += projection[:, start:stop].square().sum(1)
        # dividing by 1 - h > 0 moves no argmax; a one-hot label changes the score of the row's own class only
        left_out = scores.scatter_add(1, y[:, None], -leverage[:, None])
        yield (left_out.argmax(1) == y).sum()


class _Factor:
    """``L`` and ``z`` of the top for one `l2`, of k_max rows; `gram` is the matrix of `features` in their order."""

    def __init__(self, moments: FeatureMoments, features: Tensor, gram: Tensor, l2: Tensor) -> None:
        sums, self.share = class_targets(moments)
        self.features, self.mean = features, moments.mean[features]
        self.lower = ridge_factor(gram.clone(), moments.n * l2)
        self.targets: Tensor = torch.linalg.solve_triangular(self.lower, sums[features], upper=False)

    def project(self, X: Tensor) -> Tensor:
        """Return ``P (n_samples, k_max)`` of float64."""
        centred = X.index_select(1, self.features).to(torch.float64).sub_(self.mean)
        # the transpose of a row-major matrix is the column-major one that the solver wants: nothing is copied
        projection: Tensor = torch.linalg.solve_triangular(self.lower, centred.T, upper=False)
        return projection.T

    def scores(self, projection: Tensor, sizes: Sequence[int]) -> Iterator[Tensor]:
        """Yield the scores ``(n_samples, n_classes)`` at each of the growing `sizes`, in one buffer used again."""
        running = self.share.repeat(len(projection), 1)
        for start, stop in zip([0, *sizes], sizes, strict=False):
            yield running.addmm_(projection[:, start:stop], self.targets[start:stop])


class _Curve:
    """A checked request: which prefixes, which regularisers, how many rows at a time."""

    def __init__(
        self,
        moments: FeatureMoments,
        order: Tensor,
        sizes: Sequence[int],
        l2: float | Sequence[float] | Tensor,
        memory_bytes: int,
    ) -> None:
        device = moments.mean.device
        check_positive(memory_bytes, name="memory_bytes")
        order = torch.as_tensor(order)
        requested = torch.tensor(check_order(order, sizes, n_features=len(moments.mean)))
        growing, places = requested.unique(return_inverse=True)
        self.l2 = l2_values(l2, device=device, positive=False)
        if self.l2.ndim > 1:
            raise InputError(
                f"expected l2 as a number or (n_l2,) along a curve, got shape {tuple(self.l2.shape)}; "
                "pass the path, then choose for every size with select_l2"
            )
        k_max = int(growing[-1])
        self.moments, self.features = moments, order[:k_max].to(device)
        self.sizes: list[int] = growing.tolist()  # distinct and growing
        self.places = places.to(device)  # of each requested size in `sizes`
        self.rows = max(1, int(memory_bytes // (3 * 8 * k_max)))  # gathered, centred and projected copies in float64

    @cached_property
    def gram(self) -> Tensor:
        """Gram matrix of the features in their order, gathered once for all `l2`."""
        return self.moments.gram.index_select(0, self.features).index_select(1, self.features)

    def factors(self) -> Iterator[_Factor]:
        for value in self.l2.reshape(-1):
            yield _Factor(self.moments, self.features, self.gram, value)

    def walk(self, X: Tensor) -> Iterator[tuple[tuple[int, int], slice, Tensor]]:
        """Yield ``(l2 index, size index), rows, scores`` for every l2, block of rows and size."""
        for i, factor in enumerate(self.factors()):
            for rows in self.blocks(len(X)):
                for j, scores in enumerate(factor.scores(factor.project(X[rows]), self.sizes)):
                    yield (i, j), rows, scores

    def blocks(self, n_samples: int) -> Iterator[slice]:
        return (slice(start, start + self.rows) for start in range(0, n_samples, self.rows))

    def empty(self, *shape: int, dtype: torch.dtype) -> Tensor:
        """Return an empty tensor ``(n_l2, n distinct sizes, *shape)``."""
        return torch.empty(self.l2.numel(), len(self.sizes), *shape, dtype=dtype, device=self.l2.device)

    def arranged(self, values: Tensor) -> Tensor:
        """Return `values` at the requested sizes, without the l2 axis if one number was requested."""
        values = values[:, self.places]
        return values if self.l2.ndim else values[0]
