"""What a few shots need of a layer: one model and task in, one table out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
from torch import Tensor

from diffred_core import results
from diffred_core.chapters.few_shots.accuracy import (
    curve_rows,
    estimate_rows,
    mask_rows,
    oracle_rows,
    released_rows,
    transform_rows,
)
from diffred_core.chapters.few_shots.names import ALL, ALONG, FULL_DATA, HEADS, MASKS, NO_MASK, POOL, RANDOM
from diffred_core.chapters.few_shots.pool import Pool
from diffred_core.chapters.few_shots.reasons import agreement_rows, harm_rows, kind_rows
from diffred_core.chapters.few_shots.setting import FRACTIONS, EpisodeData, Setting, draw_setting
from diffred_core.chapters.random_subsets.names import FULL, HEADLINE
from diffred_core.chapters.random_subsets.sweep_probes import probes
from diffred_core.checks import check_choice
from diffred_core.errors import InputError
from diffred_core.results.rows import Row, shared_columns

MORE_SHOTS: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100)
WAYS: tuple[int, ...] = (2, 5, 10, 20, 50)
FULL_DATA_FRACTIONS: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def episodes(
    pool: Pool,
    *,
    views: Mapping[str, Tensor] | None = None,
    n_way: int = 5,
    shots: Sequence[int] = (1, 5),
    n_query: int = 15,
    n_episodes: int = 600,
    seed: int = 1,
    fractions: Sequence[float] = FRACTIONS,
    more_shots: Sequence[int] = MORE_SHOTS,
    ways: Sequence[int] = WAYS,
    masks: Sequence[str] = tuple(MASKS),
    heads: Sequence[str] = HEADS,
    n_head_episodes: int = 200,
    n_subsets: int = 5,
    layer: str = "penultimate",
) -> pd.DataFrame:
    """Return accuracy of few-shot episodes against the kept dimensions and under masks, and what explains it.

    All that is compared runs on the same episodes. Thousands of episodes are one row a measurement: the mean over
    episodes, in column sd their standard deviation and in column n their number, so that intervals over episodes
    are exact (`results.summarize`) and a table stays small. Differences are taken episode by episode before.

    Parameters
    ----------
    pool : Pool
        From `draw_pool`: what episodes are drawn from, and the other rows of the task.
    views : mapping of str to Tensor (n_pool, n_views, n_features), optional
        Features of augmented views of the pool, from `features.Source.views`, by how they were made (column recipe).
        The first serve everything; the others are compared with them at the first of `shots`. Without views importance
        is estimated only where there are two shots or more.
    n_way, shots, n_query, n_episodes
        Classes of an episode; shots at which everything is measured; queries of a class; episodes of a setting.
    seed : int
        Of the episodes.
    fractions : sequence of float
        Shares of the dimensions to keep.
    more_shots, ways : sequence of int
        At `n_way` classes, and at the first of `shots`: oracle curves from all rows of the task, masks from the pool.
        More ways than classes stand for all classes; shots that the smallest class does not hold are left out, so that
        all settings speak of the same classes.
    masks : sequence of str
        Kinds of mask, among importance, sqrt, scaled, theory, theory_debiased, mmc, mmc_clamped, hard,
        inverse_spread_floored. The last, the control, is always there.
    heads : sequence of str
        Linear heads, among ridge and logistic; empty for none.
    n_head_episodes : int
        The first episodes, on which linear heads run, and the importances by other formulas: both are slow.
    n_subsets : int
        Random subsets of every size with all training rows, the bridge to part I: at least 2, or 0 for none of it.
    layer : str
        Name of the layer, for the table.

    Returns
    -------
    DataFrame
        A results table. Column probe: ``centroid_euclidean``, ``centroid_cosine``, both with ``_views`` where the
        prototypes are the mean of the views too, ``ridge`` or ``logistic``; split: ``pool`` or ``all`` rows, or
        ``test`` for probes trained on all training rows, one row a draw; label: of masks, what their importance rests
        on. Metrics accuracy; gain (over the full layer, for masks over no mask, for prototypes of views over plain
        ones); shortfall (against the oracle that does not see the queries); peak_gain and peak_rise of the best size
        (over the full layer, and over the smallest size), recovered_gain of the least size as accurate as all (over the
        full layer); win_rate and over_control of masks; best_gain, best_win_rate and best_over_control of the best
        reconstruction of the mask; rank_correlation and overlap of importances; few_shot_share and metric_share of the
        theory; over_centroid of the linear heads. What is best, or least, is chosen on the first half of the episodes
        and measured on the second.

    Raises
    ------
    InputError
        If an argument is out of range or the pool does not hold enough classes or rows.
    """
    views = views or {}
    _check(pool, views, shots, heads, n_episodes)
    draw = partial(draw_setting, n_query=n_query, n_episodes=n_episodes, seed=seed, fractions=fractions)
    X, y = pool.whole
    plain, whole = EpisodeData(*pool.data, pool.rest, POOL), EpisodeData(X, y, (X[:0], y[:0]), ALL)
    data, *others = [replace(plain, views=part, recipe=recipe) for recipe, part in views.items()] or [plain]
    rows: list[Row] = []
    for n_shot in shots:
        headline = partial(_headline_rows, masks=masks, heads=heads, n_head_episodes=n_head_episodes)
        rows += headline(draw(data, n_way=n_way, n_shot=n_shot), with_kinds=n_shot == shots[0])
        rows += released_rows(draw(whole, n_way=2, n_shot=n_shot))
    numbers = [(n_way, n_shot) for n_shot in more_shots] + [(min(way, pool.n_classes), shots[0]) for way in ways]
    rows += _rows_along(draw, data, whole, numbers=numbers, measured={(n_way, n_shot) for n_shot in shots})
    for other in others:
        masked = estimate_rows(draw(other, n_way=n_way, n_shot=shots[0]), kinds=ALONG)
        rows += (row for row in masked if row["method"] != NO_MASK)
    shared = shared_columns(pool.features, experiment="few_shot", split="pool", layer=layer)
    return results.as_table([shared | row for row in (*rows, *full_data_rows(pool, n_subsets))])


def full_data_rows(pool: Pool, n_subsets: int) -> Iterator[Row]:
    """Yield the accuracy of the headline probe on random dimensions with all training rows, and its gain over all.

    As in part I: one row a draw, the regulariser chosen on validation rows, all classes of the task.
    """
    if not n_subsets:
        return
    options = {"fractions": FULL_DATA_FRACTIONS, "gap_fractions": (), "deltas": (), "ridge_l2": ()}
    table = probes(pool.features, methods=(RANDOM,), n_seeds=n_subsets, split=FULL_DATA, **options)
    table = results.where(table, metric="accuracy", probe=HEADLINE).drop(columns=["experiment", "layer"])
    full = float(table.loc[table["method"] == FULL, "value"].iloc[0])
    for record in table.to_dict("records"):
        row = {column: value for column, value in record.items() if pd.notna(value)}
        yield row
        if row["method"] == RANDOM:
            yield row | {"metric": "gain", "value": row["value"] - full}


def _headline_rows(
    setting: Setting, *, masks: Sequence[str], heads: Sequence[str], n_head_episodes: int, with_kinds: bool
) -> Iterator[Row]:
    yield from curve_rows(setting, heads, n_head_episodes=n_head_episodes)
    yield from mask_rows(setting, kinds=masks)
    yield from transform_rows(setting)
    yield from agreement_rows(setting)
    yield from harm_rows(setting)
    if with_kinds:
        yield from kind_rows(setting.first(n_head_episodes))


def _rows_along(
    draw: partial[Setting],
    data: EpisodeData,
    whole: EpisodeData,
    *,
    numbers: Sequence[tuple[int, int]],
    measured: Collection[tuple[int, int]],
) -> Iterator[Row]:
    """Yield oracle curves of all rows, and masks of the pool, at `numbers` of classes and shots not `measured` yet."""
    for n_way, n_shot in dict.fromkeys(numbers):
        needed = {"n_way": n_way, "n_rows": n_shot + draw.keywords["n_query"]}
        if whole.holds(**needed):
            yield from oracle_rows(draw(whole, n_way=n_way, n_shot=n_shot))
        if data.holds(**needed) and (n_way, n_shot) not in measured:
            yield from estimate_rows(draw(data, n_way=n_way, n_shot=n_shot), kinds=ALONG)


def _check(
    pool: Pool, views: Mapping[str, Tensor], shots: Sequence[int], heads: Sequence[str], n_episodes: int
) -> None:
    if not shots:
        raise InputError("shots must name at least one number of shots, got none; (1, 5) is usual")
    for head in heads:
        check_choice(head, HEADS, "heads must be among {}")
    if n_episodes < 4:
        raise InputError(f"n_episodes must be at least 4, since each half needs an interval, got {n_episodes}")
    shape = (len(pool.rows), pool.features.n_features)
    for tensor in views.values():
        if tensor.ndim != 3 or (len(tensor), tensor.shape[2]) != shape:
            raise InputError(
                f"views must have shape ({shape[0]}, n_views, {shape[1]}), got {tuple(tensor.shape)}; pass "
                "source.views(pool.rows)"
            )
