"""Moments of K folds from the same single pass, so that a regulariser can be chosen without reading the rows again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import one_hot, pad

from diffred_core.checks import as_features, as_labels
from diffred_core.errors import InputError
from diffred_core.moments._feature_moments import FeatureMoments, merge, with_same_classes
from diffred_core.moments.accumulation import LayerSums, first_and_all, labelled_blocks
from diffred_core.moments.blocks import BLOCK_ROWS
from diffred_core.moments.running_sums import Unit


@dataclass(frozen=True)
class FoldMoments:
    """Moments of disjoint folds of the rows, with second moments only.

    Attributes
    ----------
    folds : tuple of FeatureMoments
        The moments of every fold: what to hold out.
    """

    folds: tuple[FeatureMoments, ...]

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len(self.folds)

    def training(self, fold: int) -> FeatureMoments:
        """Return the moments of all rows outside `fold`: the other folds added up, not total minus fold.

        Raises
        ------
        InputError
            If there is no such fold.
        """
        if not 0 <= fold < self.n_folds:
            raise InputError(f"expected fold from 0 to {self.n_folds - 1}, got {fold}; count the folds from 0")
        return merge([part for i, part in enumerate(self.folds) if i != fold])

    def total(self) -> FeatureMoments:
        """Return the moments of all rows."""
        return merge(self.folds)


@torch.no_grad()
def accumulate_folds(
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    n_folds: int,
    n_classes: int | None = None,
    block_rows: int = BLOCK_ROWS,
) -> FoldMoments:
    """Return the moments of `n_folds` stratified folds in one pass over labelled batches.

    The j-th row of a class goes to fold (j + class) mod `n_folds`: every class is spread evenly, and the rows of the
    folds depend on the order of the rows alone, not on the sizes of the batches. Give the rows in random order
    if neighbours are near-copies of each other.

    Parameters
    ----------
    batches : iterable of pairs (X, y)
        Labelled batches of any sizes, read once.
    n_folds : int
        Number of folds, at least 2.
    n_classes : int, optional
        Number of classes; by default one more than the greatest label.
    block_rows : int
        Rows that are multiplied at a time.

    Returns
    -------
    FoldMoments
        ``n_folds * n_features**2 * 8`` bytes.

    Raises
    ------
    InputError
        If `n_folds` is less than 2, the batches have no labels, or a fold stays empty.
    """
    if n_folds < 2:
        raise InputError(f"expected n_folds of at least 2, got {n_folds}; 5 or 10 are usual")
    first, blocks = first_and_all(labelled_blocks(batches, block_rows))
    if len(first) != 2:
        raise InputError("expected batches (X, y), got features alone; folds are stratified by class, pass labels")
    unit = Unit.of(first[0])
    layers = [LayerSums(unit, labelled=True, n_classes=n_classes, quartic=False, cubic=False) for _ in range(n_folds)]
    counts = torch.zeros(0, dtype=torch.long, device=first[1].device)
    for X, y in blocks:
        turn, counts = _turns(y, counts)
        fold = (turn + y) % n_folds
        for i, layer in enumerate(layers):
            rows = (fold == i).nonzero().squeeze(1)
            if len(rows):
                layer.add(X[rows], y[rows])
    empty = [i for i, layer in enumerate(layers) if layer.sums.n == 0]
    if empty:
        raise InputError(f"expected rows in each of {n_folds} folds, got none in fold {empty[0]}; use fewer folds")
    return FoldMoments(tuple(with_same_classes([layer.moments() for layer in layers])))


def fold_moments(
    X: Tensor | ArrayLike, y: Tensor | ArrayLike, *, n_folds: int, n_classes: int | None = None
) -> FoldMoments:
    """Return the moments of `n_folds` stratified folds of features in memory; see `accumulate_folds`.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Features.
    y : LongTensor of shape (n_samples,)
        Class indices.
    n_folds, n_classes
        As in `accumulate_folds`.
    """
    X = as_features(X)
    return accumulate_folds([(X, as_labels(y, len(X)))], n_folds=n_folds, n_classes=n_classes)


def _turns(y: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many rows of its class came before every row, and the counts after this block."""
    counts = pad(counts, (0, max(0, int(y.max()) + 1 - len(counts))))
    membership = one_hot(y, len(counts))
    before = (membership.cumsum(0) - membership).gather(1, y[:, None]).squeeze(1)
    return counts[y] + before, counts + membership.sum(0)
