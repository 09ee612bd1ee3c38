"""What a factor does to redundancy: networks that differ in it, on the same images, and their paired differences."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from diffred_core import results
from diffred_core.chapters.governs import names
from diffred_core.chapters.governs.factors_level import Design, Level, measure
from diffred_core.chapters.governs.factors_measures import Measure, Point
from diffred_core.chapters.random_subsets.curve_rows import Bootstrap
from diffred_core.chapters.random_subsets.curves import RIDGE_L2
from diffred_core.errors import InputError
from diffred_core.features import TaskFeatures
from diffred_core.results.rows import Row


def what_governs(
    networks: Sequence[TaskFeatures],
    *,
    factor: str = names.ARCHITECTURE,
    n_seeds: int = 5,
    seed: int = 1,
    split: str = "test",
    deltas: Sequence[float] = names.DELTAS,
    shares: Sequence[float] = names.SHARES,
    numbers: Sequence[int] = names.NUMBERS,
    fraction: float = names.FRACTION,
    n_similarity_rows: int = 2000,
    ridge_l2: Sequence[float] = RIDGE_L2,
    level: float = 0.95,
    n_boot: int = 1000,
    layer: str = "penultimate",
) -> pd.DataFrame:
    """Return the redundancy of networks that differ in one factor, and their differences, with intervals.

    The probe is ridge regression, fitted at every size of every draw from one Cholesky factor. Draws AND test rows are
    resampled, the same in all networks, so that differences are paired: rows always, draws by their seed.

    Parameters
    ----------
    networks : sequence of TaskFeatures
        The levels of the factor in their order, at least two, on one task with the same rows.
    factor : str
        In what they differ, for the table: width, upstream data, architecture, or words of your own.
    n_seeds : int, default=5
        Random orders of the dimensions, at least 2.
    seed : int, default=1
        Of the first order, and of the resampling.
    split : str, default="test"
        Rows on which everything is measured.
    deltas : sequence of float
        Shares of the accuracy to be kept.
    shares, numbers : sequence
        Shares and numbers of dimensions at which accuracies are compared.
    fraction : float
        Share of the dimensions at which similarity and inequality over classes are compared.
    n_similarity_rows : int
        Similarity is measured on at most so many random rows of the split, the same in all networks (published: 1,000).
    ridge_l2 : sequence of float
        As in `random_subsets.probes`.
    level, n_boot : float, int
        Coverage and number of resamples.
    layer : str
        For the table.

    Returns
    -------
    DataFrame
        A results table; the factor stands in the column recipe. Method random: a row a network and measure, and its
        accuracy at every tested size; paired_difference: that of the model less that of the one in the column label;
        greatest_difference: the greatest between any two networks, with limits that hold for all pairs at once;
        growth_with_width, where widths differ: the slope of log2_features_needed over the logarithm of the width, 0
        where all need the same number and 1 where all need the same share.

    Raises
    ------
    InputError
        If there are fewer than two networks or draws, two share a name, or they were measured on different rows.
    """
    _check_levels(networks, factor=factor, split=split)
    if n_seeds < 2:
        raise InputError(f"n_seeds must be at least 2, since an interval needs repeats, got {n_seeds}; the paper has 5")
    bootstrap = Bootstrap((), level, n_boot, seed)
    seeds = range(seed, seed + n_seeds)
    similar = {"fraction": fraction, "n_similarity_rows": n_similarity_rows}
    sizes = {"deltas": deltas, "shares": shares, "numbers": numbers}
    design = Design(seeds, split, ridge_l2=ridge_l2, bootstrap=bootstrap, **sizes, **similar)
    levels = [measure(network, design) for network in networks]
    shared = {"experiment": names.EXPERIMENT, "task": networks[0].task, "layer": layer, "split": split}
    shared |= {"recipe": factor, "probe": "ridge"}
    rows = [*level_rows(levels, design), *difference_rows(levels, bootstrap), *growth_rows(levels, bootstrap)]
    return results.as_table([shared | row for row in rows])


def level_rows(levels: Sequence[Level], design: Design) -> Iterator[Row]:
    """Yield what was measured of every network, then its accuracy at every tested size."""
    for one in levels:
        whose: Row = {"model": one.model, "n_features": one.n_features, "method": names.RANDOM}
        for point, measured in one.measures.items():
            yield whose | _row(point, measured, design.bootstrap)
        for size in map(int, one.curve.sizes[:-1]):
            point = Point(names.MEAN_ACCURACY, fraction=size / one.n_features, n_selected=size)
            yield whose | _row(point, one.curve.at(size), design.bootstrap)


def difference_rows(levels: Sequence[Level], bootstrap: Bootstrap) -> Iterator[Row]:
    """Yield by how much every later network exceeds every earlier one, then the greatest difference of each measure.

    The limits of the greatest difference are those of all pairs at once: whatever the resamples move any pair by, it
    moves by at most their quantile.
    """
    for point in levels[0].measures:
        having = [one for one in levels if point in one.measures]
        pairs = list(itertools.combinations(having, 2))
        differences = [later.measures[point].minus(earlier.measures[point]) for earlier, later in pairs]
        for (earlier, later), difference in zip(pairs, differences, strict=True):
            whose: Row = {"model": later.model, "label": earlier.model, "n_features": later.n_features}
            yield whose | {"method": names.DIFFERENCE} | _row(point, difference, bootstrap)
        if differences:
            yield {"model": names.ALL_LEVELS, "method": names.SPREAD} | _greatest(point, differences, bootstrap)


def growth_rows(levels: Sequence[Level], bootstrap: Bootstrap) -> Iterator[Row]:
    """Yield how fast the number of needed dimensions grows with the width: a least-squares slope in logarithms."""
    width = np.log2([one.n_features for one in levels])
    if np.ptp(width) == 0:
        return
    weight = (width - width.mean()) / ((width - width.mean()) ** 2).sum()
    for point in levels[0].measures:
        if point.metric == names.NEEDED:
            needs = [one.measures[point] for one in levels]
            resampled = weight @ np.stack([need.resampled for need in needs])
            slope = Measure(float(weight @ [need.value for need in needs]), resampled)
            yield {"model": names.ALL_LEVELS, "method": names.GROWTH} | _row(point, slope, bootstrap)


def _greatest(point: Point, differences: Sequence[Measure], bootstrap: Bootstrap) -> Row:
    value = max(abs(one.value) for one in differences)
    moved = np.max([np.abs(one.resampled - one.value) for one in differences], axis=0)
    reach = float(np.quantile(moved, bootstrap.level))
    return point._asdict() | {"value": value, "low": max(0.0, value - reach), "high": value + reach}


def _row(point: Point, measured: Measure, bootstrap: Bootstrap) -> Row:
    return point._asdict() | {"value": measured.value} | bootstrap.limits(measured.resampled)


def _check_levels(networks: Sequence[TaskFeatures], *, factor: str, split: str) -> None:
    models = [network.model for network in networks]
    if len(models) < 2:
        raise InputError(
            f"expected at least two levels of the factor {factor}, got one ({', '.join(models)}): nothing differs; "
            "name other networks in other_models"
        )
    if len(set(models)) < len(models):
        raise InputError(f"expected levels of different names, got {', '.join(models)}; give each a name of its own")
    rows = [network.splits[split][1] for network in networks]
    for network, labels in zip(networks, rows, strict=True):
        if network.task != networks[0].task or not torch.equal(labels, rows[0]):
            raise InputError(
                f"expected all levels on the same rows of {networks[0].task}, got others of {network.model}; take one "
                "task and one split_seed"
            )
