"""What an oracle knows of the classes of an episode: statistics of all their rows, or of those the episode leaves.

The published oracle uses all rows of a class, the queries included, so it sees what it is tested on. Leaving the rows
of an episode out is a change of sums, exact and cheap: nothing is computed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_labels, finite_features
from diffred_core.errors import InputError, near_names
from diffred_core.few_shot import Episodes
from diffred_core.few_shot.rows import features_of, row_means
from diffred_core.soft_mask._statistics import ClassStatistics

LeftOut = Literal["nothing", "queries", "episode"]
_CHUNK = 256  # episodes whose rows are taken off at once


@torch.no_grad()
def oracle_statistics(
    X: Tensor | ArrayLike, y: Tensor | ArrayLike, episodes: Episodes, *, without: LeftOut = "nothing"
) -> ClassStatistics:
    """Return the statistics of all rows of the classes of every episode.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        With ``without="nothing"`` any rows: other rows than those of the episodes give the oracle of a disjoint split.
    y : Tensor (n_samples,) of int64
        With the labels that `episodes.classes` has.
    episodes : Episodes
    without : {"nothing", "queries", "episode"}
        Rows of the episode that its statistics leave out: none (the published oracle), its queries, or queries and
        support. What is left out is taken off the class sums in float64, with the class mean as origin, so that it
        costs the rows left out and not those that stay.

    Returns
    -------
    ClassStatistics
        With leading dimension n_episodes, in the dtype of X.

    Raises
    ------
    InputError
        An unknown `without`; a class of an episode that `y` lacks or leaves with fewer than two rows.
    """
    if without not in get_args(LeftOut):
        known = get_args(LeftOut)
        raise InputError(
            f"without: expected one of {', '.join(known)}, got {without!r}{near_names(str(without), known)}"
        )
    X = finite_features(X) if without == "nothing" else features_of(X, episodes)
    sums = _ClassSums.of(X, as_labels(y, len(X)).to(X.device))
    out = {"nothing": episodes.query[..., :0], "queries": episodes.query}.get(without)
    out = torch.cat([episodes.query, episodes.support], 2) if out is None else out
    at = sums.positions(episodes.classes.to(X.device), left_out=out.shape[2])
    parts = [sums.left(*part) for part in zip(at.split(_CHUNK), out.to(X.device).split(_CHUNK), strict=True)]
    return ClassStatistics(*(torch.cat(part).to(X) for part in zip(*parts, strict=True)))


@dataclass(frozen=True, eq=False)
class _ClassSums:
    """Class sums of rows centred by the mean of their class, all float64."""

    labels: Tensor  # (n_classes,)
    count: Tensor  # (n_classes,)
    mean: Tensor  # (n_classes, n_features)
    squares: Tensor  # (n_classes, n_features) of centred rows
    sizes: Tensor  # (n_classes, n_features) sum of |z|
    X: Tensor  # (n_samples, n_features)
    centred: Tensor  # (n_samples, n_features)

    @classmethod
    def of(cls, X: Tensor, y: Tensor) -> _ClassSums:
        labels, codes, count = torch.unique(y, return_inverse=True, return_counts=True)
        X, zero = X.double(), X.new_zeros(len(labels), X.shape[1], dtype=torch.float64)
        mean = zero.index_add(0, codes, X) / count[:, None]
        centred = X - mean[codes]
        squares, sizes = zero.index_add(0, codes, centred.square()), zero.index_add(0, codes, X.abs())
        return cls(labels, count.double(), mean, squares, sizes, X, centred)

    @cached_property
    def of_rows(self) -> tuple[Tensor, Tensor]:
        """Squares of the centred rows and ``|z|`` of the rows, both (n_samples, n_features)."""
        return self.centred.square(), self.X.abs()

    def positions(self, classes: Tensor, *, left_out: int) -> Tensor:
        """Return where `classes` stand among the labels; refuse those without two rows beyond `left_out`."""
        at = torch.searchsorted(self.labels, classes).clamp_max(len(self.labels) - 1)
        count = torch.where(self.labels[at] == classes, self.count[at], 0.0)
        worst = int(count.argmin())
        if count.flatten()[worst] - left_out < 2:
            raise InputError(
                f"y: expected at least {left_out + 2} rows of every class of the episodes (two beyond the {left_out} "
                f"of an episode that are left out), got {int(count.flatten()[worst])} of class "
                f"{int(classes.flatten()[worst])}; add rows, or leave fewer out"
            )
        return at

    def left(self, at: Tensor, out: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the statistics of the classes `at` (m, n_way) without the rows `out` (m, n_way, l)."""
        gone = out.shape[2]
        count = self.count[at] - gone
        mean, squares, sizes = self.mean[at], self.squares[at], self.sizes[at]
        if gone:
            moved = gone * row_means(self.centred, out)
            mean = mean - moved / count[..., None]
            squared, size = (gone * row_means(part, out) for part in self.of_rows)
            squares, kept = squares - squared - moved.square() / count[..., None], sizes - size
            # what stays is below the rounding of what was taken off: the rows left are 0 (a unit that ReLU silenced),
            # and a difference of two such means must not pass for signal
            silent = kept <= 1e-14 * self.count.max() * sizes
            mean, squares, sizes = (value.masked_fill(silent, 0.0) for value in (mean, squares, kept))
        spread = (squares.clamp_min(0) / (count[..., None] - 1)).sqrt()
        return mean, spread, count, sizes.sum(1) / count.sum(1, keepdim=True)
