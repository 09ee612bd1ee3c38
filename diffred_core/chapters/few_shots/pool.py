"""The images that episodes are drawn from, and the rest of the task beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffred_core.errors import InputError

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures


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
    def every(self) -> tuple[Tensor, Tensor]:
        """Features and labels of the pool and the other rows."""
        return self._at(torch.cat([self.rows, self.others]).sort().values)

    @property
    def n_classes(self) -> int:
        """Number of classes that the pool has rows of."""
        return len(self.data[1].unique())

    @property
    def smallest_class(self) -> int:
        """Rows of the smallest class of the pool."""
        return int(self.data[1].unique(return_counts=True)[1].min())

    def _at(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        X, y = self.features.together
        rows = rows.to(X.device)
        return X[rows], y[rows]


def few_shot_pool(features: TaskFeatures, *, n_per_class: int = 40, least: int = 16, seed: int = 0) -> Pool:
    """Return at most `n_per_class` rows of every class, so that what views of them cost is bounded.

    Rows come from all splits: nothing here is trained on any of them but the support of an episode, and the frozen
    network saw none. Classes with fewer than `least` rows take no part.

    Parameters
    ----------
    features : TaskFeatures
        Of one model and task.
    n_per_class : int, default=40
        Rows of a class, drawn without replacement. A class with fewer gives all of them.
    least : int, default=16
        Rows that a class must have: one shot and 15 queries.
    seed : int
        Of the draw.

    Raises
    ------
    InputError
        If fewer than two classes have enough rows, or `n_per_class` is below `least`.
    """
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
    draw = torch.Generator().manual_seed(seed)
    chosen = torch.zeros_like(y, dtype=torch.bool)
    for label in labels:
        members = (y == label).nonzero().flatten()
        chosen[members[torch.randperm(len(members), generator=draw)[:n_per_class]]] = True
    others = torch.isin(y, torch.tensor(labels)) & ~chosen
    return Pool(features, chosen.nonzero().flatten(), others.nonzero().flatten())
