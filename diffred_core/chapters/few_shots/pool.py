"""The images that episodes are drawn from, the rest of the task beside them, and the list of the episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from diffred_core import few_shot, files
from diffred_core.errors import InputError

if TYPE_CHECKING:
    from diffred_core.features import Source, TaskFeatures


@dataclass(frozen=True, eq=False)
class Pool:
    """Equally many rows of every class of a task, for episodes, and all other rows of these classes.

    Attributes
    ----------
    features : TaskFeatures
        The task.
    rows : LongTensor (n_pool,)
        Places of the pool in ``features.together``, growing; what `features.Source.views` takes.
    others : LongTensor (n_others,)
        Places of all other rows of the same classes.
    """

    features: TaskFeatures
    rows: Tensor
    others: Tensor

    @property
    def data(self) -> tuple[Tensor, Tensor]:
        """Features and labels of the pool."""
        return self._at(self.rows)

    @property
    def rest(self) -> tuple[Tensor, Tensor]:
        """Features and labels of the other rows."""
        return self._at(self.others)

    @property
    def whole(self) -> tuple[Tensor, Tensor]:
        """Features and labels of the pool and the other rows."""
        return self._at(torch.cat([self.rows, self.others]).sort().values)

    @property
    def n_classes(self) -> int:
        """Number of classes that the pool has rows of."""
        return len(self.data[1].unique())

    def _at(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        X, y = self.features.together
        rows = rows.to(X.device)
        return X[rows], y[rows]


def draw_pool(features: TaskFeatures, *, n_per_class: int = 40, n_query: int = 15, split_seed: int = 0) -> Pool:
    """Return at most `n_per_class` rows of every class, so that what views of them cost is bounded.

    Rows come from all splits: nothing here is trained on any of them but the support of an episode, and the frozen
    network saw none. Classes without rows for one shot and `n_query` queries take no part.

    Parameters
    ----------
    features : TaskFeatures
        Of one model and task.
    n_per_class : int, default=40
        Rows of a class, drawn without replacement. A class with fewer gives all of them.
    n_query : int, default=15
        Queries of a class in an episode.
    split_seed : int
        Of the draw.

    Raises
    ------
    InputError
        If fewer than two classes have enough rows, or `n_per_class` is less than one shot and the queries.
    """
    least = n_query + 1
    if n_per_class < least:
        raise InputError(f"n_per_class must be at least {least}, shots and queries of a class, got {n_per_class}")
    _, y = features.together
    y = y.cpu()
    labels, counts = y.unique(return_counts=True)
    labels = labels[counts >= least].tolist()
    if len(labels) < 2:
        raise InputError(
            f"expected at least 2 classes with {least} rows each in task {features.task!r}, got {len(labels)} (largest "
            f"classes have {counts.sort(descending=True).values[:5].tolist()} rows); take fewer shots and queries"
        )
    draw = torch.Generator().manual_seed(split_seed)
    chosen = torch.zeros_like(y, dtype=torch.bool)
    for label in labels:
        members = (y == label).nonzero().flatten()
        chosen[members[torch.randperm(len(members), generator=draw)[:n_per_class]]] = True
    others = torch.isin(y, torch.tensor(labels)) & ~chosen
    return Pool(features, chosen.nonzero().flatten(), others.nonzero().flatten())


def draw_views(
    source: Source,
    pool: Pool,
    *,
    n_views: int = 10,
    crop_scale: tuple[float, float] = (0.3, 1.0),
    other_crop_scales: Sequence[tuple[float, float]] = (),
) -> dict[str, Tensor]:
    """Return features of augmented views of the pool, as `episodes` takes them, by the recipe of their crops.

    Parameters
    ----------
    source : features.Source
        That of the features of the pool.
    pool : Pool
    n_views : int
        Views of every image; 0 for none, which is all that a file of embeddings has.
    crop_scale : (float, float)
        Smallest and largest share of the image in a view.
    other_crop_scales : sequence of (float, float)
        Further crops, to be compared.
    """
    if not n_views or str(source.task).startswith("embeddings:"):
        return {}
    crops = {f"crops {low:g} to {high:g}": (low, high) for low, high in (crop_scale, *other_crop_scales)}
    return {name: source.views(pool.rows, n_views=n_views, crop_scale=scale) for name, scale in crops.items()}


def drawn_episodes(
    pool: Pool,
    *,
    n_way: int = 5,
    shots: Sequence[int] = (1, 5),
    n_query: int = 15,
    n_episodes: int = 600,
    seed: int = 1,
) -> pd.DataFrame:
    """Return the episodes that the sweep draws from the pool with the same arguments: which images they label and ask.

    Two models of one task have the same pool, and so the same episodes.

    Returns
    -------
    DataFrame
        One row an episode, number of shots and class: ``n_shot, episode, label, support, query``, the last two as
        places in ``features.together`` separated by spaces.
    """
    y, rows = pool.data[1], []
    for n_shot in shots:
        numbers = {"n_way": n_way, "n_shot": n_shot, "n_query": n_query, "n_episodes": n_episodes}
        episodes = few_shot.sample_episodes(y, **numbers, seed=seed)
        parts = episodes.classes, pool.rows[episodes.support], pool.rows[episodes.query]
        for i, (label, support, query) in enumerate(zip(*(p.flatten(0, 1).tolist() for p in parts), strict=True)):
            rows.append((n_shot, i // n_way, label, " ".join(map(str, support)), " ".join(map(str, query))))
    return pd.DataFrame(rows, columns=["n_shot", "episode", "label", "support", "query"])


def write_episodes(episodes: pd.DataFrame, table: Path) -> Path:
    """Write the rows of `drawn_episodes` beside the table at `table` that came of them, whole or not at all."""
    return files.write_text(files.episodes_path(table), episodes.to_csv(index=False, lineterminator="\n"))
