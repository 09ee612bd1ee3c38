"""Was a layer trained for its prefixes? Its first k dimensions against the distribution of random k."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diffred_core import results
from diffred_core.chapters.random_subsets import comparators, curves, names
from diffred_core.chapters.random_subsets.curves import ProbeData
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.errors import InputError
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

PREFIX_FRACTIONS: tuple[float, ...] = (0.125, 0.25, 0.5)
MIDDLE = 0.95  # of the random subsets, whose limits stand beside their mean
FEWEST = 19  # draws with which a p-value can be 0.05


def prefix_test(
    features: TaskFeatures,
    *,
    fractions: Sequence[float] = PREFIX_FRACTIONS,
    n_draws: int = 99,
    seed: int = 1,
    split: str = "test",
    ridge_l2: Sequence[float] = curves.RIDGE_L2,
    layer: str = "penultimate",
) -> pd.DataFrame:
    """Test whether the first k dimensions of a layer are more accurate than random k, as training for prefixes does.

    Matryoshka training (Kusupati et al. 2022) puts what matters first. If the order of the dimensions is arbitrary, the
    first k are one more random subset, so the share of random subsets that are at least as accurate is an exact p-value
    ``(1 + #{random >= first}) / (1 + n_draws)``. Ridge probes, their regulariser chosen on validation rows.

    Parameters
    ----------
    features : TaskFeatures
        Of one model and task, with splits train, validation and `split`.
    fractions : sequence of float
        Shares of the dimensions at which it is asked; those of less than one dimension are left out.
    n_draws : int
        Random subsets of every size, at least 19.
    seed : int
        Of the first draw.
    split, ridge_l2, layer
        As in `probes`.

    Returns
    -------
    DataFrame
        A results table with a row a size of: accuracy of the first k (method ``first``) and of random k (``random``:
        their mean, with the limits between which 95 % of the draws lie); gain_over_random of ``first``; and
        prefix_p_value.

    Raises
    ------
    InputError
        If there are too few draws, or as `probes`.
    """
    if n_draws < FEWEST:
        raise InputError(f"expected n_draws of at least {FEWEST}, for a p-value of 0.05, got {n_draws}; 99 is usual")
    data, sizes = ProbeData.of(features, split=split, standardize=False), Sizes.of(features.n_features, fractions)
    seeds = range(seed, seed + n_draws)
    (first,), drawn = (
        np.stack([_accuracy(data, draw, sizes, ridge_l2) for draw in comparators.draw(m, data.moments, seeds=seeds)])
        for m in (names.FIRST_K, names.RANDOM)
    )
    shared = shared_columns(features, experiment="prefix_test", split=split, layer=layer) | {"probe": names.RIDGE}
    return results.as_table([shared | row for row in _rows(sizes, first, drawn)])


def _accuracy(data: ProbeData, draw: comparators.ComparatorDraw, sizes: Sizes, ridge_l2: Sequence[float]) -> np.ndarray:
    return curves.ridge(data, draw, sizes, l2=ridge_l2).accuracy.cpu().numpy()


def _rows(sizes: Sizes, first: np.ndarray, drawn: np.ndarray) -> Iterator[Row]:
    """Yield the rows of every size; accuracies first (n_sizes,) and drawn (n_draws, n_sizes)."""
    least, most = np.quantile(drawn, [0.5 - MIDDLE / 2, 0.5 + MIDDLE / 2], axis=0)
    p = (1 + (drawn >= first).sum(0)) / (1 + len(drawn))
    for j, (fraction, size) in enumerate(zip(sizes.fractions, sizes.n_selected, strict=True)):
        at: Row = {"fraction": fraction, "n_selected": size}
        of_first = at | {"method": names.FIRST_K}
        mean = float(drawn[:, j].mean())
        limits = {"low": float(least[j]), "high": float(most[j])}
        yield of_first | {"metric": names.ACCURACY, "value": float(first[j])}
        yield at | {"method": names.RANDOM, "metric": names.ACCURACY, "value": mean} | limits
        yield of_first | {"metric": names.GAIN, "value": float(first[j]) - mean}
        yield of_first | {"metric": names.PREFIX_P, "value": float(p[j])}
