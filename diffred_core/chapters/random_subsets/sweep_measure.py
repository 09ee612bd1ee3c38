"""Any function of features, read on random parts of a layer, and on the same dimensions made independent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from diffred_core import results, subsets
from diffred_core.chapters.random_subsets import names
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

SHARES: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8)


def measure(
    features: TaskFeatures,
    function: Callable[[Tensor], float],
    *,
    fractions: Sequence[float] = SHARES,
    n_seeds: int = 5,
    seed: int = 1,
    split: str = "test",
    layer: str = "penultimate",
) -> pd.DataFrame:
    """Return what `function` gives for random parts of a layer, for the whole layer, and for independent dimensions.

    The reference shuffles the rows of every dimension by itself. Each keeps its values, and what dimensions have in
    common is gone: where it lies above or below the layer itself, `function` sees redundancy.

    Parameters
    ----------
    features : TaskFeatures
        Of one model and task, with the split `split`.
    function : callable
        From float64 features of shape (n_samples, n_selected) to a finite number; its name is the metric.
    fractions : sequence of float
        Shares of the dimensions; those of less than one dimension are left out.
    n_seeds, seed : int
        Draws, and the seed of the first.
    split, layer : str
        Rows that are measured, and how the layer is called.

    Returns
    -------
    DataFrame
        A results table with a row a draw and size of the methods ``random`` and ``shuffled`` (with the whole layer),
        and a row of ``full``.

    Raises
    ------
    InputError
        If no fraction keeps a feature, or a value is not finite.
    """
    X, sizes = features.splits[split][0].double(), Sizes.of(features.n_features, fractions)
    rows: list[Row] = [_point(names.FULL, 1.0, features.n_features) | {"value": float(function(X))}]
    for repeat, of_draw in enumerate(range(seed, seed + n_seeds)):
        draw: Row = {"repeat": repeat, "seed": of_draw}
        rows += [row | draw for row in _draw_rows(X, function, sizes, seed=of_draw)]
    shared = shared_columns(features, experiment="measure", split=split, layer=layer) | {"metric": function.__name__}
    return results.as_table([shared | row for row in rows])


def _draw_rows(X: Tensor, function: Callable[[Tensor], float], sizes: Sizes, *, seed: int) -> Iterator[Row]:
    """Yield the values of the nested parts of one draw, and of the same parts of shuffled dimensions."""
    order, apart = subsets.random_order(X.shape[1], seed=seed).to(X.device), shuffled(X, seed=seed)
    for fraction, size in zip(sizes.fractions, sizes.n_selected, strict=True):
        for method, values in ((names.RANDOM, X), (names.SHUFFLED, apart)):
            yield _point(method, fraction, size) | {"value": float(function(values[:, order[:size]]))}
    yield _point(names.SHUFFLED, 1.0, X.shape[1]) | {"value": float(function(apart))}


def shuffled(X: Tensor, *, seed: int) -> Tensor:
    """Return `X` (n_samples, n_features) with the rows of every dimension in an order of their own."""
    places = torch.rand(X.shape, generator=torch.Generator().manual_seed(seed)).argsort(0)
    return X.gather(0, places.to(X.device))


def _point(method: str, fraction: float, size: int) -> Row:
    return {"method": method, "fraction": fraction, "n_selected": size}
