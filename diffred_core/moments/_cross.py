"""Moments of two layers seen on the same rows: what CKA between subsets of the one and of the other needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_features
from diffred_core.errors import InputError
from diffred_core.moments._feature_moments import FeatureMoments
from diffred_core.moments.accumulation import first_and_all, in_features
from diffred_core.moments.blocks import BLOCK_ROWS, reblocked
from diffred_core.moments.running_sums import RunningSums, Unit
from diffred_core.precision import full_precision

Pairs = Iterable[tuple[Tensor | ArrayLike, Tensor | ArrayLike]]


@dataclass(frozen=True, eq=False)
class CrossMoments:
    """Moments of layers x and y over the same rows; every tensor is float64.

    Attributes
    ----------
    x, y : FeatureMoments
        The moments of each layer, d_x and d_y features wide.
    gram : Tensor of shape (d_x, d_y)
        X'Y of the centred features.
    quartic : Tensor of shape (d_x, d_y) or None
        (X*X)'(Y*Y) of the centred features, which only debiased CKA needs.
    """

    x: FeatureMoments
    y: FeatureMoments
    gram: Tensor
    quartic: Tensor | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.x.n


@torch.no_grad()
def accumulate_pair(batches: Pairs, *, quartic: bool = True, block_rows: int = BLOCK_ROWS) -> CrossMoments:
    """Return the moments of two layers in one exact pass over batches of their rows; see `accumulate`.

    Parameters
    ----------
    batches : iterable of pairs (X, Y)
        Features of the same samples in both layers, in batches of any sizes, read once.
    quartic : bool
        Whether to sum the fourth moments.
    block_rows : int
        Rows that are centred and multiplied at a time.

    Raises
    ------
    InputError
        If there is no batch, the rows of a pair do not match, batches differ in form, or a feature is not finite.
    """
    first, blocks = first_and_all(reblocked(_pairs(batches), block_rows))
    units = [Unit.of(side) for side in first]
    widths = [side.shape[1] for side in first]
    device = first[0].device
    sides = {
        (i, j): RunningSums((widths[i], widths[j]), quartic=quartic, cubic=quartic, device=device)
        for i, j in ((0, 0), (1, 1), (0, 1))
    }
    with full_precision(device):
        for block in blocks:
            rows = [unit.apply(side) for unit, side in zip(units, block, strict=True)]
            for (i, j), sums in sides.items():
                sums.add(rows[i], rows[j])
    x, y = (in_features(*sides[i, i].power_sums().centred(), units[i]) for i in (0, 1))
    cross, _ = sides[0, 1].power_sums().centred()
    scale = units[0].scale * units[1].scale
    return CrossMoments(x, y, cross.xy / scale, None if cross.xxyy is None else cross.xxyy / scale**2)


def from_pair(X: Tensor | ArrayLike, Y: Tensor | ArrayLike, *, quartic: bool = True) -> CrossMoments:
    """Return the moments of two layers that are in memory; see `accumulate_pair`.

    Parameters
    ----------
    X : Tensor of shape (n_samples, d_x)
        Features of one layer.
    Y : Tensor of shape (n_samples, d_y)
        Features of the same samples in the other.
    quartic
        As in `accumulate_pair`.
    """
    return accumulate_pair([(X, Y)], quartic=quartic)


def _pairs(batches: Pairs) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield every pair of batches as features of one form."""
    form = None
    for X, Y in batches:
        X, Y = as_features(X), as_features(Y, name="Y")
        if len(X) != len(Y):
            raise InputError(
                f"expected the same samples in X and Y, got {len(X)} and {len(Y)} rows; pass both layers of one batch"
            )
        Y = Y.to(X.dtype)
        form = form or (X.shape[1], Y.shape[1], X.dtype, X.device, Y.device)
        if form != (X.shape[1], Y.shape[1], X.dtype, X.device, Y.device) or X.device != Y.device:
            raise InputError(
                f"expected every pair of batches of widths {form[0]} and {form[1]} and {form[2]} on one device, got "
                f"{X.shape[1]} and {Y.shape[1]}, {X.dtype} on {X.device} and {Y.device}; convert them to one form"
            )
        yield X, Y
