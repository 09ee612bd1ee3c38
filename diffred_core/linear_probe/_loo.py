"""Leave-one-out of the ridge probe in closed form, at every prefix size, from the same Cholesky factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from diffred_core.checks import finite_features
from diffred_core.errors import InputError
from diffred_core.linear_probe._checks import DEFAULT_MEMORY_BYTES, class_labels
from diffred_core.linear_probe._prefix import PrefixCurve, PrefixFactor
from diffred_core.linear_probe.factor import class_targets
from diffred_core.moments import FeatureMoments


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

    The fitted scores are ``H Y`` with ``H = 11'/n + P P'`` (``P`` of `ridge_curve`), so the leverages are
    ``h = 1/n + row norms of P[:, :k]``, a running sum over columns like the scores, and the score of a row by the probe
    fitted without it is ``(score - h y) / (1 - h)``. The fit without a row keeps the penalty ``n l2 ||W||^2`` and
    has its own intercept.

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
    memory_bytes : int
        Bound on the float64 working copy of the rows.

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
    curve = PrefixCurve.of(moments, order, [X.shape[1]] if sizes is None else sizes, l2, memory_bytes)
    hits = curve.empty(dtype=torch.int64).zero_()
    for i, factor in enumerate(curve.factors()):
        for rows in curve.blocks(len(X)):
            hits[i] += torch.stack(list(_hits(factor, X[rows], y[rows], curve.sizes, moments.n)))
    accuracy = curve.arranged(hits.double() / len(X))
    return accuracy[..., 0] if sizes is None else accuracy


def _hits(factor: PrefixFactor, X: Tensor, y: Tensor, sizes: Sequence[int], n: int) -> Iterator[Tensor]:
    """Yield, at every size, how many rows the probe fitted without them predicts right."""
    projection = factor.project(X)
    leverage = torch.full_like(projection[:, 0], 1 / n)
    for scores, start, stop in zip(factor.scores(projection, sizes), [0, *sizes], sizes, strict=False):
        leverage += projection[:, start:stop].square().sum(1)
        # dividing by 1 - h > 0 moves no argmax; a one-hot label changes the score of the row's own class only
        left_out = scores.scatter_add(1, y[:, None], -leverage[:, None])
        yield (left_out.argmax(1) == y).sum()
