"""Episodes of one number of classes and shots, what is known of their classes, and rows that tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from torch import Tensor

from diffred_core import few_shot, soft_mask, subsets
from diffred_core.chapters.few_shots.source import Source
from diffred_core.few_shot import Episodes
from diffred_core.results.rows import Row
from diffred_core.soft_mask import ClassStatistics

# 1 % and 1 to 5 % are the published landmarks (Luo et al. 2023, abstracts of both versions); the rest is our grid
FEW_SHOT_FRACTIONS: tuple[float, ...] = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)

ORACLE = "oracle_all"  # the published oracle
REFERENCE = "oracle_no_query"  # the same without the images that it is tested on
DISJOINT = "oracle_disjoint"  # of other images of the same classes
ORACLES = (ORACLE, REFERENCE, DISJOINT)
ESTIMATES = ("estimated_views", "estimated_shots")


@dataclass(frozen=True, eq=False)
class Setting:
    """Episodes of one number of classes and shots, and the sizes to keep.

    Attributes
    ----------
    source : Source
    episodes : Episodes
        Of rows of the source.
    fractions : tuple of float
        Growing; the last is 1.
    sizes : tuple of int
        Features that each of them keeps.
    """

    source: Source
    episodes: Episodes
    fractions: tuple[float, ...]
    sizes: tuple[int, ...]
    _statistics: dict[str, ClassStatistics] = field(default_factory=dict, repr=False)

    @property
    def point(self) -> Row:
        """Columns that all rows of the setting share."""
        return {"n_way": self.episodes.n_way, "n_shot": self.episodes.n_shot, "split": self.source.split}

    def at(self, j: int) -> Row:
        """Columns of size number `j`."""
        return {"fraction": self.fractions[j], "n_selected": self.sizes[j]}

    def size(self, fraction: float) -> int:
        """Return how many features `fraction` of them is."""
        return subsets.top_size(self.source.X.shape[1], fraction)

    @cached_property
    def unit(self) -> Setting:
        """The same episodes of rows of length 1."""
        return replace(self, source=self.source.normalised(), _statistics={})

    @property
    def estimates(self) -> tuple[str, ...]:
        """Who estimates from the support: with views where there are some, from the rows alone at two shots or more."""
        there = (self.source.views is not None, self.episodes.n_shot > 1)
        return tuple(name for name, is_there in zip(ESTIMATES, there, strict=True) if is_there)

    @property
    def knowing(self) -> tuple[str, ...]:
        """Who knows something of the classes of an episode: oracles, and estimates from the support."""
        oracles = ORACLES if self.source.has_rest else (ORACLE, REFERENCE)
        return oracles + self.estimates

    def statistics(self, who: str) -> ClassStatistics:
        """Return what `who` of `knowing` knows of the classes of every episode."""
        if who not in self._statistics:
            self._statistics[who] = self._measured(who)
        return self._statistics[who]

    def importance(self, who: str) -> Tensor:
        """Return the importance of the features by what `who` knows, (n_episodes, n_features)."""
        return soft_mask.importance(self.statistics(who))

    def _measured(self, who: str) -> ClassStatistics:
        source, episodes = self.source, self.episodes
        if who == DISJOINT:
            return soft_mask.oracle_statistics(*source.rest, episodes)
        if who in ORACLES:
            without = "queries" if who == REFERENCE else "nothing"
            return soft_mask.oracle_statistics(source.X, source.y, episodes, without=without)
        views = source.views if who == "estimated_views" else None
        return soft_mask.episode_statistics(source.X, episodes, views=views)


@dataclass(frozen=True)
class Draw:
    """How episodes are drawn: everything but the number of classes and shots.

    Episodes of one seed are nested over both numbers, so that what differs between settings is not the draw.
    """

    n_query: int
    n_episodes: int
    seed: int
    fractions: Sequence[float]

    def setting(self, source: Source, *, n_way: int, n_shot: int) -> Setting:
        """Return the episodes of `n_way` classes and `n_shot` shots of `source`."""
        numbers = {"n_way": n_way, "n_shot": n_shot, "n_query": self.n_query, "n_episodes": self.n_episodes}
        episodes = few_shot.sample_episodes(source.y, **numbers, seed=self.seed)
        return Setting(source, episodes, *kept(source.X.shape[1], self.fractions))


def kept(n_features: int, fractions: Sequence[float]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return fractions and their sizes (`subsets.top_size`), the full layer last, every size once.

    Of fractions that keep equally many features the smallest stays.
    """
    first: dict[int, float] = {}
    for fraction in sorted({*fractions, 1.0}):
        first.setdefault(subsets.top_size(n_features, fraction), fraction)
    first[n_features] = 1.0
    return tuple(first.values()), tuple(first)


def episode_rows(point: Row, metric: str, values: Tensor) -> Iterator[Row]:
    """Yield the mean of `values` (n_episodes,) and what its interval needs, for `results.summarize_episodes`."""
    values = values.double()
    yield point | {"metric": metric, "value": float(values.mean())}
    yield point | {"metric": f"{metric}_sd", "value": float(values.std())}
    yield point | {"metric": f"{metric}_n", "value": float(len(values))}
