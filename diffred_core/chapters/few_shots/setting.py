"""Rows that episodes are drawn from, episodes of one number of classes and shots, what is known of their classes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

import diffred_core.chapters.few_shots.names as names
from diffred_core import few_shot, soft_mask, subsets
from diffred_core.few_shot import Episodes
from diffred_core.results.rows import Row
from diffred_core.soft_mask import ClassStatistics

# 1 % and 1 to 5 % are the published landmarks (Luo et al. 2023, abstracts of both versions); the rest is our grid
FRACTIONS: tuple[float, ...] = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


@dataclass(frozen=True, eq=False)
class EpisodeData:
    """Rows that episodes are drawn from."""

    X: Tensor  # (n_rows, n_features)
    y: Tensor  # (n_rows,)
    rest: tuple[Tensor, Tensor]  # features and labels of other rows of the same classes; maybe none
    split: str  # "pool" or "all": which rows these are, for tables
    views: Tensor | None = None  # (n_rows, n_views, n_features), features of augmented views of the rows
    recipe: str | None = None  # how the views were made, for tables

    @property
    def has_rest(self) -> bool:
        """Whether every class has two rows beyond those that the episodes are drawn from."""
        labels, counts = self.rest[1].unique(return_counts=True)
        return len(labels) == len(self.y.unique()) and int(counts.min()) >= 2

    def normalised(self) -> EpisodeData:
        """Return the same rows, each divided by its length."""
        views = None if self.views is None else _unit(self.views)
        return replace(self, X=_unit(self.X), rest=(_unit(self.rest[0]), self.rest[1]), views=views)

    def holds(self, *, n_way: int, n_rows: int) -> bool:
        """Return whether there are `n_way` classes, and `n_rows` rows of every class."""
        counts = self.y.unique(return_counts=True)[1]
        return n_way <= len(counts) and n_rows <= int(counts.min())


def _unit(X: Tensor) -> Tensor:
    return torch.nn.functional.normalize(X, dim=-1)


@dataclass(frozen=True, eq=False)
class Setting:
    """Episodes of one number of classes and shots, and the sizes to keep; what is computed of them is kept."""

    data: EpisodeData
    episodes: Episodes  # of rows of the data
    fractions: tuple[float, ...]  # growing; the last is 1
    sizes: tuple[int, ...]  # features that each of them keeps
    _statistics: dict[str, ClassStatistics] = field(default_factory=dict, repr=False)
    _importance: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def point(self) -> Row:
        """Columns that all rows of the setting share."""
        return {"n_way": self.episodes.n_way, "n_shot": self.episodes.n_shot, "split": self.data.split}

    def point_of(self, basis: str) -> Row:
        """Columns that the rows share which rest on `basis`: the recipe of the views, if on them."""
        return self.point | ({"recipe": self.data.recipe} if basis == names.BY_VIEWS else {})

    def at(self, j: int) -> Row:
        """Columns of size number `j`."""
        return {"fraction": self.fractions[j], "n_selected": self.sizes[j]}

    def size(self, fraction: float) -> int:
        """Return how many dimensions `fraction` of them is."""
        return subsets.top_size(self.data.X.shape[1], fraction)

    @cached_property
    def unit(self) -> Setting:
        """The same episodes of rows of length 1."""
        return replace(self, data=self.data.normalised(), _statistics={}, _importance={})

    def first(self, n: int) -> Setting:
        """Return the setting of the first `n` episodes, with what is known of them already."""
        whole = self.episodes
        episodes = Episodes(whole.support[:n], whole.query[:n], whole.classes[:n], whole.seed)
        known = {basis: statistics.of(slice(n)) for basis, statistics in self._statistics.items()}
        ranked = {basis: R[:n] for basis, R in self._importance.items()}
        return replace(self, episodes=episodes, _statistics=known, _importance=ranked)

    @property
    def estimates(self) -> tuple[str, ...]:
        """Estimates from the support: with views where there are some, from its rows alone at two shots or more."""
        possible = (self.data.views is not None, self.episodes.n_shot > 1)
        return tuple(itertools.compress(names.ESTIMATES, possible))

    @property
    def bases(self) -> tuple[str, ...]:
        """What importance may rest on: oracles, and estimates from the support."""
        oracles = names.ORACLES if self.data.has_rest else (names.ORACLE, names.WITHOUT_QUERIES)
        return oracles + self.estimates

    def statistics(self, basis: str) -> ClassStatistics:
        """Return what one of the `bases` tells of the classes of every episode."""
        if basis not in self._statistics:
            self._statistics[basis] = self._measured(basis)
        return self._statistics[basis]

    def importance(self, basis: str) -> Tensor:
        """Return the importance of the features by one of the `bases`, (n_episodes, n_features)."""
        if basis not in self._importance:
            self._importance[basis] = soft_mask.importance(self.statistics(basis))
        return self._importance[basis]

    def order(self, name: str) -> Tensor:
        """Return one order of dimensions for all episodes, (n_features,), or one for each, (n_episodes, n_features).

        ``random`` is another permutation in every episode, ``bottom`` the reverse of the published oracle, and
        ``top_variance`` looks at all rows but at no label. Every other name is one of the `bases`.
        """
        if name == names.RANDOM:
            draw = torch.Generator().manual_seed(self.episodes.seed)
            shape = len(self.episodes), self.data.X.shape[1]
            return torch.rand(shape, generator=draw).argsort(dim=-1)
        if name == names.TOP_VARIANCE:
            return self.data.X.double().var(0).argsort(descending=True, stable=True)
        if name == names.BOTTOM:
            return by_importance(self.importance(names.ORACLE)).flip(-1)
        return by_importance(self.importance(name))

    def _measured(self, basis: str) -> ClassStatistics:
        data, episodes = self.data, self.episodes
        if basis == names.DISJOINT:
            return soft_mask.oracle_statistics(*data.rest, episodes)
        if basis in names.ORACLES:
            without = "queries" if basis == names.WITHOUT_QUERIES else "nothing"
            return soft_mask.oracle_statistics(data.X, data.y, episodes, without=without)
        views = data.views if basis == names.BY_VIEWS else None
        return soft_mask.episode_statistics(data.X, episodes, views=views)


def draw_setting(
    data: EpisodeData, *, n_way: int, n_shot: int, n_query: int, n_episodes: int, seed: int, fractions: Sequence[float]
) -> Setting:
    """Return the setting of episodes drawn from `data`.

    Those of one seed are nested over classes and shots, so that what differs between settings is not the draw.
    """
    numbers = {"n_way": n_way, "n_shot": n_shot, "n_query": n_query, "n_episodes": n_episodes}
    episodes = few_shot.sample_episodes(data.y, **numbers, seed=seed)
    return Setting(data, episodes, *_kept(data.X.shape[1], fractions))


def by_importance(R: Tensor) -> Tensor:
    """Return the dimensions by falling importance; of equally important ones the first comes first."""
    return R.argsort(dim=-1, descending=True, stable=True)


def episode_row(point: Row, metric: str, values: Tensor) -> Row:
    """Return the mean of `values` (n_episodes,) as a row, with what its interval needs."""
    values = values.double()
    spread = {"sd": float(values.std())} if len(values) > 1 else {}
    return point | {"metric": metric, "value": float(values.mean()), "n": len(values)} | spread


def _kept(n_features: int, fractions: Sequence[float]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return fractions and their sizes (`subsets.top_size`), the full layer last, every size once.

    Of fractions that keep equally many dimensions the smallest stays.
    """
    first: dict[int, float] = {}
    for fraction in sorted({*fractions, 1.0}):
        first.setdefault(subsets.top_size(n_features, fraction), fraction)
    first[n_features] = 1.0
    return tuple(first.values()), tuple(first)
