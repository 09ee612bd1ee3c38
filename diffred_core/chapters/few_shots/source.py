"""Rows that episodes are drawn from: the pool with its views, or all rows of its classes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from diffred_core.chapters.few_shots.pool import Pool


@dataclass(frozen=True, eq=False)
class Source:
    """Rows that episodes are drawn from.

    Attributes
    ----------
    X, y : Tensor (n_rows, n_features), (n_rows,)
    rest : (Tensor, Tensor)
        Features and labels of other rows of the same classes; maybe none.
    views : Tensor (n_rows, n_views, n_features) or None
        Features of augmented views of the rows.
    split : str
        ``pool`` or ``all``: which rows these are, for tables.
    """

    X: Tensor
    y: Tensor
    rest: tuple[Tensor, Tensor]
    views: Tensor | None
    split: str

    @classmethod
    def pool(cls, pool: Pool, views: Tensor | None) -> Source:
        """Return the pool, with views of it."""
        return cls(*pool.data, pool.rest, views, "pool")

    @classmethod
    def all(cls, pool: Pool) -> Source:
        """Return all rows of the classes of the pool."""
        X, y = pool.every
        return cls(X, y, (X[:0], y[:0]), None, "all")

    @property
    def has_rest(self) -> bool:
        """Whether every class has two rows beyond those that the episodes are drawn from."""
        labels, counts = self.rest[1].unique(return_counts=True)
        return len(labels) == len(self.y.unique()) and int(counts.min()) >= 2

    def normalised(self) -> Source:
        """Return the same rows, each divided by its length."""
        views = None if self.views is None else _unit(self.views)
        return replace(self, X=_unit(self.X), rest=(_unit(self.rest[0]), self.rest[1]), views=views)

    def holds(self, *, n_way: int, n_rows: int) -> bool:
        """Return whether there are `n_way` classes, and `n_rows` rows of every class."""
        counts = self.y.unique(return_counts=True)[1]
        return n_way <= len(counts) and n_rows <= int(counts.min())


def _unit(X: Tensor) -> Tensor:
    return torch.nn.functional.normalize(X, dim=-1)
