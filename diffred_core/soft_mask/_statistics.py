"""Mean and spread of every class: of all rows, of the few labelled rows of each of thousands of episodes, by an oracle.

The published oracle uses all rows of a class, the queries included, so it sees what it is tested on. Leaving the rows
of an episode out is a change of sums, exact and cheap: nothing is computed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_labels, check_choice, finite_features
from diffred_core.errors import InputError
from diffred_core.few_shot import Episodes
from diffred_core.few_shot.rows import features_of, row_means

LeftOut = Literal["nothing", "queries", "episode"]
_CHUNK_VALUES = 2**18  # held at once in float64: the passes over rows, views and classes then stay in the cache


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """What importance and masks need to know of the classes of one task (no leading dimension) or of many.

    Attributes
    ----------
    mean, spread : Tensor (..., n_classes, n_features)
        Means and sample standard deviations (ddof 1).
    count : Tensor (..., n_classes)
        Rows of each class; augmented views count as rows.
    magnitude : Tensor (..., n_features)
        Mean of ``|z|`` over the rows of all classes.
    """

    mean: Tensor
    spread: Tensor
    count: Tensor
    magnitude: Tensor

    def of(self, index: int | slice | Tensor) -> ClassStatistics:
        """Return the statistics of the tasks at `index` of the leading dimension."""
        return ClassStatistics(self.mean[index], self.spread[index], self.count[index], self.magnitude[index])


def class_statistics(X: Tensor | ArrayLike, y: Tensor | ArrayLike) -> ClassStatistics:
    """Return the statistics of the classes that occur in `y`, in the order of their labels, in float64.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
    y : Tensor (n_samples,) of int64

    Raises
    ------
    InputError
        Fewer than two classes, or a class with one row (its spread is undefined).
    """
    X = finite_features(X)
    sums = _ClassSums.of(X, as_labels(y, len(X)).to(X.device))
    if len(sums.count) < 2 or sums.count.min() < 2:
        raise InputError(
            f"y: expected at least two classes with two rows each, got class counts {sums.count.int().tolist()[:10]}; "
            "add rows, or augmented views of them, to the small classes"
        )
    spread = (sums.squares / (sums.count[:, None] - 1)).sqrt()
    return ClassStatistics(sums.mean, spread, sums.count, sums.sizes.sum(0) / len(X))


@torch.no_grad()
def episode_statistics(X: Tensor | ArrayLike, episodes: Episodes, *, views: Tensor | None = None) -> ClassStatistics:
    """Return what the support of every episode tells of its classes, from its rows and augmented views of them.

    A row and its views are summed up once, in float64, however many episodes have it, so views cost next to nothing.
    With one shot the spread is that of the augmentation alone.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        Features of the original rows, which count as view 0.
    episodes : Episodes
    views : Tensor (n_samples, n_views, n_features), optional
        Features of augmented views of every row.

    Returns
    -------
    ClassStatistics
        With leading dimension n_episodes, in the dtype of X, over ``n_shot * (n_views + 1)`` rows a class.

    Raises
    ------
    InputError
        One shot without views (a spread needs two rows); views of another shape or not finite; rows that X lacks.
    """
    X = features_of(X, episodes)
    if views is None and episodes.n_shot < 2:
        raise InputError(
            "views: expected augmented views of the rows at n_shot=1, where one row a class has no spread, got None; "
            "pass views (n_samples, n_views, n_features), draw episodes of at least 2 shots, or use oracle_statistics"
        )
    used, support = episodes.support.unique(return_inverse=True)
    mean, variance, magnitude, n = _row_summaries(X, views, used.to(X.device))
    centre = row_means(mean, support)
    spread = row_means(variance, support)
    if episodes.n_shot > 1:
        # variance about the class mean = mean variance about each row's own mean + that of these means
        spread += _mean_square_about(mean, support, centre)
    total = n * episodes.n_shot
    spread = spread.mul_(total / (total - 1)).sqrt_()
    count = torch.full(episodes.classes.shape, float(total), dtype=X.dtype, device=X.device)
    return ClassStatistics(centre, spread, count, row_means(magnitude, support.flatten(1)))


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
    check_choice(without, get_args(LeftOut), "without: expected one of {}")
    X = finite_features(X) if without == "nothing" else features_of(X, episodes)
    sums = _ClassSums.of(X, as_labels(y, len(X)).to(X.device))
    out = {"nothing": episodes.query[..., :0], "queries": episodes.query}.get(without)
    out = torch.cat([episodes.query, episodes.support], 2) if out is None else out
    at = sums.positions(episodes.classes.to(X.device), left_out=out.shape[2])
    step = max(1, _CHUNK_VALUES // (max(1, out.shape[2]) * episodes.n_way * X.shape[1]))
    # each part in the dtype of X before the next is made: twice as much in float64 is what would fill the memory
    parts = (sums.left(*part) for part in zip(at.split(step), out.to(X.device).split(step), strict=True))
    kept = [tuple(value.to(X) for value in part) for part in parts]
    return ClassStatistics(*map(torch.cat, zip(*kept, strict=True)))


def _row_summaries(X: Tensor, views: Tensor | None, used: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
    """Return mean, variance (ddof 0) and mean ``|z|`` over the views of each row `used`, and the number of views."""
    if views is None:
        rows = X[used]
        return rows, torch.zeros_like(rows), rows.abs(), 1
    if views.ndim != 3 or (len(views), views.shape[2]) != X.shape or not views.shape[1]:
        raise InputError(
            f"views: expected shape ({len(X)}, n_views, {X.shape[1]}) with views of every row of X, got "
            f"{tuple(views.shape)}; pass the features of the augmented images in the order of the rows"
        )
    n = views.shape[1] + 1
    mean, variance, magnitude = X.new_empty(3, len(used), X.shape[1])
    for at in torch.arange(len(used)).split(max(1, _CHUNK_VALUES // (n * X.shape[1]))):
        rows = used[at.to(X.device)]
        values = torch.cat([X[rows, None], views[rows.to(views.device)].to(X)], 1)
        torch.mean(values.abs(), 1, out=magnitude[at[0] : at[-1] + 1])
        values = values.double()
        centre = values.mean(1, keepdim=True)
        mean[at], variance[at] = centre[:, 0].to(X), (values - centre).square_().mean(1).to(X)
    if not torch.isfinite(variance).all():
        raise InputError("views: expected finite values, got NaN or infinity; extract the views again")
    return mean, variance, magnitude, n


def _mean_square_about(values: Tensor, index: Tensor, centre: Tensor) -> Tensor:
    """Return the mean of ``(values[index] - centre)^2`` over the last axis of `index`."""
    squares, index = torch.empty_like(centre), index.to(values.device)
    step = max(1, _CHUNK_VALUES // (index[0].numel() * values.shape[1]))
    for start in range(0, len(index), step):
        at = slice(start, start + step)
        torch.mean((values[index[at]] - centre[at, :, None]).square_(), 2, out=squares[at])
    return squares


@dataclass(frozen=True, eq=False)
class _ClassSums:
    """Rows and the sums of their classes, these in float64; squares are about the mean of the class."""

    X: Tensor  # (n_samples, n_features)
    labels: Tensor  # (n_classes,)
    codes: Tensor  # (n_samples,) places of the labels of the rows
    count: Tensor  # (n_classes,)
    mean: Tensor  # (n_classes, n_features)
    squares: Tensor  # (n_classes, n_features) of centred rows
    sizes: Tensor  # (n_classes, n_features) sums of ``|z|``

    @classmethod
    def of(cls, X: Tensor, y: Tensor) -> _ClassSums:
        labels, codes, count = torch.unique(y, return_inverse=True, return_counts=True)
        mean, squares, sizes = X.new_zeros(3, len(labels), X.shape[1], dtype=torch.float64)
        parts = list(zip(X.split(step := max(1, _CHUNK_VALUES // X.shape[1])), codes.split(step), strict=True))
        for rows, code in parts:
            mean.index_add_(0, code, rows.double())
            sizes.index_add_(0, code, rows.double().abs())
        mean /= count[:, None]
        for rows, code in parts:
            squares.index_add_(0, code, (rows.double() - mean[code]).square_())
        return cls(X=X, labels=labels, codes=codes, count=count.double(), mean=mean, squares=squares, sizes=sizes)

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
            rows = self.X[out].double()
            size = rows.abs().sum(2)
            rows -= mean[:, :, None]
            moved = rows.sum(2)
            squares = squares - rows.square_().sum(2) - moved.square() / count[..., None]
            mean, kept = mean - moved / count[..., None], sizes - size
            # what stays is below the rounding of what was taken off: the rows left are 0 (a unit that ReLU silenced),
            # and a difference of two such means must not pass for signal
            silent = kept <= 1e-14 * self.count.max() * sizes
            mean, squares, sizes = (value.masked_fill(silent, 0.0) for value in (mean, squares, kept))
        spread = (squares.clamp_min(0) / (count[..., None] - 1)).sqrt()
        return mean, spread, count, sizes.sum(1) / count.sum(1, keepdim=True)
