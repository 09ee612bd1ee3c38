"""Accuracy of linear probes on part of a layer: random subsets, what they are compared with, what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from diffred_core import linear_probe, results
from diffred_core.chapters.random_subsets import comparators, curve_rows, curves, names
from diffred_core.chapters.random_subsets.baselines import baseline_rows
from diffred_core.chapters.random_subsets.comparators import COMPARATORS, ComparatorDraw
from diffred_core.chapters.random_subsets.curves import Curve, ProbeData
from diffred_core.chapters.random_subsets.sizes import DELTAS, PUBLISHED_FRACTIONS, Sizes
from diffred_core.errors import InputError
from diffred_core.results.rows import shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

Draws = Mapping[str, Sequence[ComparatorDraw]]  # by method
GAP_FRACTIONS: tuple[float, ...] = (0.05, 0.1, 0.2, 0.5)


def probes(
    features: TaskFeatures,
    *,
    fractions: Sequence[float] = PUBLISHED_FRACTIONS,
    n_seeds: int = 5,
    n_projections: int = 2,
    seed: int = 1,
    split: str = "test",
    methods: Sequence[str] = tuple(comparators.COMPARATORS),
    logistic_fractions: Sequence[float] | None = None,
    projection_fractions: Sequence[float] | None = None,
    sgd_fractions: Sequence[float] = (),
    gap_fractions: Sequence[float] = GAP_FRACTIONS,
    standardize: bool = False,
    deltas: Sequence[float] = DELTAS,
    ridge_l2: Sequence[float] = curves.RIDGE_L2,
    logistic_l2: Sequence[float] = curves.LOGISTIC_L2,
    level: float = 0.95,
    n_boot: int = 1000,
    layer: str = "penultimate",
    recipe: str | None = None,
) -> pd.DataFrame:
    """Return accuracy against the number of kept dimensions, for random subsets and what they are compared with.

    The headline probe is logistic, as the published one is, but run to convergence; ridge probes stand beside it. Both
    run on every method at every size, for a comparison needs one probe on both sides. The published SGD recipe of the
    task and network runs, on request, on random subsets and the full layer. Regularisers are chosen on validation rows,
    anew at every size (Nanda et al. 2023 fix the weight decay instead).

    Parameters
    ----------
    features : TaskFeatures
        Of one model and task, with splits train, validation and `split`.
    fractions : sequence of float
        Shares of the dimensions to keep; those of less than one dimension are left out.
    n_seeds : int, default=5
        Random subsets of every size, at least 2.
    n_projections : int, default=2
        Draws of every random projection; each costs as much as a random subset and a product of matrices.
    seed : int, default=1
        Seed of the first draw; the published seeds are 1 to 5.
    split : str, default="test"
        Rows on which accuracy is measured.
    methods : sequence of str
        Ways to keep features, from `comparators.COMPARATORS`; ``random`` must be among them.
    logistic_fractions : sequence of float, optional
        Where logistic probes run: moved to the nearest of `fractions`, empty for nowhere, None for all of them.
    projection_fractions : sequence of float, optional
        Where those of random projections run, of the places above: each draw has rows of its own to read, so that three
        projections cost more than all random subsets.
    sgd_fractions, gap_fractions : sequence of float
        Where the published SGD runs, and where differences get their interval over draws and test rows; empty for
        nowhere.
    standardize : bool, default=False
        Divide features by their standard deviation on the training rows; the published probes do not.
    deltas : sequence of float
        Shares of the full accuracy at which diffused redundancy is given.
    ridge_l2, logistic_l2 : sequence of float
        Regularisers to choose from, in units of the mean feature variance; without any of ``ridge_l2`` no ridge probes.
    level, n_boot : float, int
        Coverage and number of resamples of the paired bootstrap over draws and test rows.
    layer : str
        Name of the layer, for the table.
    recipe : str, optional
        Of the SGD probes, as `linear_probe.sgd_recipe` takes it; by default the published one of this task and network
        (`linear_probe.published_recipe`). Its name stands in the column `recipe` of their rows.

    Returns
    -------
    DataFrame
        A results table with metrics accuracy, class_accuracy, l2_at_edge, steps, gini_null (one row a draw);
        accuracy_without_features (of the commonest class and of a guess) and class_rows;
        diffused_redundancy_first and _nearest, gini and coefficient_of_variation (each of the mean over draws, column
        `repeat` empty, and of every draw); and with low and high over draws and test rows mean_accuracy (of random
        subsets and the full layer), accuracy_gap (to the full layer), gain_over_random (of every other method), and
        gini_rise (over the full layer, each less its gini_null).

    Raises
    ------
    InputError
        If an argument is out of range or names something unknown.
    """
    for name, number, least in (("n_seeds", n_seeds, 2), ("n_projections", n_projections, 2)):
        if number < least:
            raise InputError(f"{name} must be at least {least}, since an interval needs repeats, got {number}")
    if names.RANDOM not in methods:
        raise InputError(f"methods must hold 'random', what the others are compared with, got {list(methods)}")
    data = ProbeData.of(features, split=split, standardize=standardize)
    recipe = recipe or linear_probe.published_recipe(features.task, features.model, n_train=len(data.train[1]))
    linear_probe.sgd_recipe(recipe)  # a wrong name is refused before the work
    sizes = Sizes.of(features.n_features, fractions)
    seeds = range(seed, seed + n_seeds)
    draws = {m: list(comparators.draw(m, data.moments, seeds=seeds, n_projections=n_projections)) for m in methods}
    families = [_ridge(data, draws, sizes, l2=ridge_l2)] if ridge_l2 else []
    of_logistic = sizes if logistic_fractions is None else sizes.nearest(logistic_fractions)
    if of_logistic.fractions:
        by_method = dict.fromkeys(methods, of_logistic)
        if projection_fractions is not None:
            of_projections = of_logistic.nearest(projection_fractions)
            by_method |= {method: of_projections for method in methods if COMPARATORS[method].draws == "n_projections"}
        families.insert(0, _logistic(data, draws, by_method, l2=logistic_l2))
    if sgd_fractions:
        families.append(_sgd(data, seeds, sizes.nearest(sgd_fractions), recipe=recipe))
    bootstrap = curve_rows.Bootstrap(sizes.nearest(gap_fractions).fractions, level, n_boot, seed)
    options = {"classes": features.classes, "deltas": deltas, "bootstrap": bootstrap}
    rows = [row for family in families for row in curve_rows.family_rows(family, data.measured[1], **options)]
    rows += baseline_rows(features, split=split)
    shared = shared_columns(features, experiment="subset_probes", split=split, layer=layer)
    return results.as_table([shared | row for row in rows])


def _ridge(data: ProbeData, draws: Draws, sizes: Sizes, *, l2: Sequence[float]) -> list[list[Curve]]:
    family = [[curves.ridge(data, *curves.whole_layer(data), l2=l2)]]
    for of_method in draws.values():
        family.append([curves.ridge(data, draw, sizes.up_to(len(draw.order)), l2=l2) for draw in of_method])
    return family


def _logistic(
    data: ProbeData, draws: Draws, by_method: Mapping[str, Sizes], *, l2: Sequence[float]
) -> list[list[Curve]]:
    everything, whole = curves.whole_layer(data)
    family = [curves.logistic(data, [everything], whole, l2=l2)]
    for method, sizes in by_method.items():
        if sizes.fractions:
            family.append(curves.logistic(data, draws[method], sizes.up_to(len(draws[method][0].order)), l2=l2))
    return family


def _sgd(data: ProbeData, seeds: Sequence[int], sizes: Sizes, *, recipe: str) -> list[list[Curve]]:
    draws = comparators.draw(names.RANDOM, data.moments, seeds=seeds)
    full = curves.sgd(data, *curves.whole_layer(data), recipe=recipe)
    return [[full], [curves.sgd(data, draw, sizes, recipe=recipe) for draw in draws]]
