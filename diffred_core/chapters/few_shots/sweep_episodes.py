"""What a few shots need of a layer: one model and task in, one table out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from torch import Tensor

from diffred_core import results
from diffred_core.chapters.few_shots.agreement import agreement_rows, kind_rows
from diffred_core.chapters.few_shots.curves import HEADS, curve_rows, oracle_rows
from diffred_core.chapters.few_shots.harm import harm_rows, left_out_rows
from diffred_core.chapters.few_shots.masks import CONTROL, MASKS, estimate_rows, mask_rows, transform_rows
from diffred_core.chapters.few_shots.pool import Pool
from diffred_core.chapters.few_shots.setting import FEW_SHOT_FRACTIONS, Draw
from diffred_core.chapters.few_shots.source import Source
from diffred_core.errors import InputError, near_names
from diffred_core.results.rows import Cell, Row

MORE_SHOTS: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100)
WAYS: tuple[int, ...] = (2, 5, 10, 20, 50)
ALONG = ("importance", "scaled", CONTROL)  # masks that are followed over shots and ways


def few_shot(
    pool: Pool,
    *,
    views: Tensor | None = None,
    n_way: int = 5,
    shots: Sequence[int] = (1, 5),
    n_query: int = 15,
    n_episodes: int = 600,
    seed: int = 1,
    fractions: Sequence[float] = FEW_SHOT_FRACTIONS,
    more_shots: Sequence[int] = MORE_SHOTS,
    ways: Sequence[int] = WAYS,
    masks: Sequence[str] = MASKS,
    heads: Sequence[str] = HEADS,
    n_head_episodes: int = 200,
    crop_views: Mapping[str, Tensor] | None = None,
    layer: str = "penultimate",
) -> pd.DataFrame:
    """Return accuracy of few-shot episodes against the kept dimensions and under masks, and what explains it.

    All that is compared runs on the same episodes. Thousands of episodes are three rows a measurement: the mean over
    episodes, under ``..._sd`` the standard deviation and under ``..._n`` the number, so that intervals over episodes
    are exact (`results.summarize_episodes`) and a table stays small. Differences are taken episode by episode before.

    Parameters
    ----------
    pool : Pool
        From `few_shot_pool`: what episodes are drawn from, and the other rows of the task.
    views : Tensor (n_pool, n_views, n_features), optional
        Features of augmented views of the pool, from `features.Source.views`. Without them importance is estimated only
        where there are two shots or more.
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
        Kinds of mask, among importance, sqrt, scaled, theory, theory_debiased, mmc, hard, inverse_spread.
    heads : sequence of str
        Linear heads, among ridge and logistic; empty for none.
    n_head_episodes : int
        The first episodes, on which linear heads run, and the importances by other formulas: both are slow.
    crop_views : mapping of str to Tensor, optional
        Views of other recipes by their names, to compare augmentations at the first of `shots`.
    layer : str
        Name of the layer, for the table.

    Returns
    -------
    DataFrame
        A results table. Column probe: ``centroid_euclidean``, ``centroid_cosine``, ``ridge`` or ``logistic``; split:
        ``pool`` or ``all`` rows. Metrics accuracy; gain (over the full layer, for masks over no mask, for prototypes of
        views over plain ones); shortfall (against the oracle that does not see the queries); peak_gain and peak_rise of
        the best size (over the full layer, and over the smallest size); win_rate and over_control of masks;
        rank_correlation and overlap of importances; few_shot_share and metric_share of the theory; over_centroid of the
        linear heads.

    Raises
    ------
    InputError
        If an argument is out of range or the pool does not hold enough classes or rows.
    """
    _check(pool, views, shots, heads, n_episodes)
    draw = Draw(n_query, n_episodes, seed, tuple(fractions))
    plan = _Plan(Source.pool(pool, views), Source.all(pool), draw, n_way, tuple(shots))
    rows = [*plan.headline(masks, heads, n_head_episodes), *plan.along(more_shots, ways), *plan.crops(crop_views or {})]
    cell = Cell.of(pool.features, experiment="few_shot", split="pool", layer=layer)
    return results.as_table(cell.rows(rows))


@dataclass(frozen=True, eq=False)
class _Plan:
    pool: Source
    every: Source
    draw: Draw
    n_way: int
    shots: tuple[int, ...]

    def headline(self, masks: Sequence[str], heads: Sequence[str], n_head_episodes: int) -> Iterator[Row]:
        """Yield everything at the headline settings."""
        fewer = replace(self.draw, n_episodes=min(n_head_episodes, self.draw.n_episodes))
        for n_shot in self.shots:
            setting = self.draw.setting(self.pool, n_way=self.n_way, n_shot=n_shot)
            few = fewer.setting(self.pool, n_way=self.n_way, n_shot=n_shot)
            yield from curve_rows(setting, heads, few=few)
            yield from mask_rows(setting, kinds=masks)
            yield from transform_rows(setting)
            yield from agreement_rows(setting)
            yield from harm_rows(setting)
            yield from left_out_rows(setting)
            if n_shot == self.shots[0]:
                yield from kind_rows(few)

    def along(self, more_shots: Sequence[int], ways: Sequence[int]) -> Iterator[Row]:
        """Yield oracle curves and some masks against the number of shots and of classes."""
        most = len(self.pool.y.unique())
        numbers = [(self.n_way, n_shot) for n_shot in more_shots]
        numbers += [(min(n_way, most), self.shots[0]) for n_way in ways]
        for n_way, n_shot in dict.fromkeys(numbers):
            need = {"n_way": n_way, "n_rows": n_shot + self.draw.n_query}
            if self.every.holds(**need):
                yield from oracle_rows(self.draw.setting(self.every, n_way=n_way, n_shot=n_shot))
            seen = n_way == self.n_way and n_shot in self.shots
            if self.pool.holds(**need) and not seen:
                yield from estimate_rows(self.draw.setting(self.pool, n_way=n_way, n_shot=n_shot), kinds=ALONG)

    def crops(self, views: Mapping[str, Tensor]) -> Iterator[Row]:
        """Yield masks by views of other recipes."""
        for name, found in views.items():
            source = replace(self.pool, views=found)
            setting = self.draw.setting(source, n_way=self.n_way, n_shot=self.shots[0])
            yield from estimate_rows(setting, kinds=ALONG, label=name)


def _check(pool: Pool, views: Tensor | None, shots: Sequence[int], heads: Sequence[str], n_episodes: int) -> None:
    if not shots:
        raise InputError("shots must name at least one number of shots, got none; (1, 5) is usual")
    for head in heads:
        if head not in HEADS:
            raise InputError(f"heads must be among {', '.join(HEADS)}, got {head!r}{near_names(str(head), HEADS)}")
    if n_episodes < 4:
        raise InputError(f"n_episodes must be at least 4, since each half needs an interval, got {n_episodes}")
    shape = (len(pool.rows), pool.features.n_features)
    if views is not None and (views.ndim != 3 or (len(views), views.shape[2]) != shape):
        raise InputError(
            f"views must have shape ({shape[0]}, n_views, {shape[1]}), got {tuple(views.shape)}; pass "
            "source.views(pool.rows)"
        )
