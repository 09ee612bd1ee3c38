"""One probe on every draw of every method: the full layer first, then one list of draws a method."""

from __future__ import annotations

from collections.abc import Sequence

from diffred_core.chapters.random_subsets import comparators
from diffred_core.chapters.random_subsets.curves import Curve, full_selection, logistic, ridge, sgd
from diffred_core.chapters.random_subsets.data import ProbeData
from diffred_core.chapters.random_subsets.sizes import SizeGrid

Family = list[list[Curve]]


def ridge_family(
    data: ProbeData,
    methods: Sequence[str],
    seeds: Sequence[int],
    grid: SizeGrid,
    *,
    n_projections: int,
    l2: Sequence[float],
) -> Family:
    """Return ridge curves of every method; projections have the first `n_projections` seeds."""
    family = [[ridge(data, *full_selection(data.moments.n_features), l2=l2)]]
    for method in methods:
        drawn = seeds if method == "random" else seeds[:n_projections]
        draws = comparators.draw(method, data.moments, seeds=drawn)
        family.append([ridge(data, draw, grid.up_to(len(draw.order)), l2=l2) for draw in draws])
    return family


def logistic_family(data: ProbeData, seeds: Sequence[int], grid: SizeGrid, *, l2: Sequence[float]) -> Family:
    """Return logistic curves of random subsets."""
    everything, whole = full_selection(data.moments.n_features)
    draws = list(comparators.draw("random", data.moments, seeds=seeds))
    return [logistic(data, [everything], whole, l2=l2), logistic(data, draws, grid, l2=l2)]


def sgd_family(data: ProbeData, seeds: Sequence[int], grid: SizeGrid) -> Family:
    """Return curves of the published SGD recipe on random subsets."""
    everything, whole = full_selection(data.moments.n_features)
    draws = comparators.draw("random", data.moments, seeds=seeds)
    return [[sgd(data, everything, whole)], [sgd(data, draw, grid) for draw in draws]]
