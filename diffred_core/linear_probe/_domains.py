"""Proxy A-distance: how well a linear probe tells two domains apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core import moments
from diffred_core.checks import as_labels, check_positive, finite_features
from diffred_core.errors import InputError
from diffred_core.linear_probe._curve import ridge_curve


@torch.no_grad()
def proxy_a_distance(
    X: Tensor | ArrayLike,
    domains: Tensor | ArrayLike,
    *,
    order: Tensor | None = None,
    sizes: Sequence[int] | None = None,
    l2: float = 1e-3,
    seed: int = 0,
) -> Tensor:
    """Return the proxy A-distance ``2 (1 - 2 err)`` of two domains (Ben-David et al. 2007; Ganin et al. 2016, eq. 3).

    `err` is that of a ridge probe that is fitted on half of the rows, with the domain as label, and measured on the
    other half. Of the larger domain as many rows are taken as the smaller one has, so that guessing has an error of one
    half. Differs from the papers: a ridge probe at one `l2` in place of a support vector machine at the best of
    several, for the best on the measured rows is above 0 where the domains are one.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        Rows of both domains.
    domains : Tensor (n_samples,) of int64
        0 or 1.
    order, sizes
        Prefixes of an order of the features, as in `ridge_curve`; all features by default.
    l2 : float
        In units of the mean variance of the features.
    seed : int
        Of which rows are fitted, measured and left out.

    Returns
    -------
    Tensor (n_sizes,), or () without sizes, of float64
        2 for domains that never meet, 0 for one domain up to chance, which may put it below 0.

    Raises
    ------
    InputError
        Domains that are missing (as many as rows, from 0), other than 0 and 1, one domain only or with fewer than four
        rows; an `order` without `sizes`, or as `ridge_curve`.
    """
    X = finite_features(X)
    domains = as_labels(domains, len(X), name="domains").to(X.device)
    check_positive(l2, name="l2")
    if (order is None) != (sizes is None):
        raise InputError("expected order and sizes together, got one of them; leave both out for all features")
    first, second = _halves(domains, seed)
    fitted = moments.from_features(X[first].double(), domains[first], quartic=False)
    order = torch.arange(X.shape[1]) if order is None else order
    chosen = [X.shape[1]] if sizes is None else sizes
    scale = float(fitted.variance.mean())
    if not scale > 0:
        raise InputError("expected features that vary, got the same row throughout; leave the layer out")
    hits = ridge_curve(fitted, X[second].double(), domains[second], order=order, sizes=chosen, l2=l2 * scale)
    distance = 2 * (1 - 2 * (1 - hits))
    return distance[0] if sizes is None else distance


def _halves(domains: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Return the rows that are fitted and those that are measured, as many of either domain in each."""
    counts = torch.bincount(domains, minlength=2).tolist()
    if len(counts) > 2:
        raise InputError(f"expected domains 0 and 1, got {len(counts) - 1}; compare two domains at a time")
    if min(counts) < 4:
        raise InputError(
            f"expected at least 4 rows of either domain, got {counts[0]} and {counts[1]}; one domain has no distance"
        )
    draw = torch.Generator().manual_seed(seed)
    half = min(counts) // 2
    drawn = [
        rows[torch.randperm(len(rows), generator=draw)]
        for rows in ((domains == d).nonzero()[:, 0].cpu() for d in (0, 1))
    ]
    return torch.cat([rows[:half] for rows in drawn]), torch.cat([rows[half : 2 * half] for rows in drawn])
