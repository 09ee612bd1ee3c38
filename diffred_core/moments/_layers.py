"""Moments of several layers from one pass over batches that hold the rows of all of them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from diffred_core.checks import as_features, as_labels
from diffred_core.errors import InputError
from diffred_core.moments._feature_moments import FeatureMoments
from diffred_core.moments.accumulation import LayerSums, first_and_all
from diffred_core.moments.blocks import BLOCK_ROWS, reblocked
from diffred_core.moments.running_sums import Unit


@torch.no_grad()
def accumulate_layers(
    batches: Iterable[tuple[Tensor, ...]],
    *,
    n_classes: int | None = None,
    quartic: bool = True,
    block_rows: int = BLOCK_ROWS,
) -> list[FeatureMoments]:
    """Return the moments of every layer in one exact pass over batches; see `accumulate`.

    Parameters
    ----------
    batches : iterable of tuples of Tensor
        The rows of the same samples in every layer, each (n, n_features of that layer), and last their class
        indices (n,). Read once.
    n_classes, quartic, block_rows
        As in `accumulate`.

    Returns
    -------
    list of FeatureMoments
        One a layer, each equal to the last bit to `accumulate` over that layer alone.

    Raises
    ------
    InputError
        As `accumulate`; if batches differ in their number of layers or in the width of one.
    """
    first, blocks = first_and_all(reblocked(_checked(batches), block_rows))
    layers = [
        LayerSums(Unit.of(X), labelled=True, n_classes=n_classes, quartic=quartic, cubic=quartic) for X in first[:-1]
    ]
    for *rows, y in blocks:
        for layer, X in zip(layers, rows, strict=True):
            layer.add(X, y)
    return [layer.moments() for layer in layers]


def _checked(batches: Iterable[tuple[Tensor, ...]]) -> Iterable[tuple[Tensor, ...]]:
    widths: list[int] | None = None
    for *layers, y in batches:
        layers = [as_features(X) for X in layers]
        found = [X.shape[1] for X in layers]
        widths = found if widths is None else widths
        if not layers or found != widths or len({len(X) for X in layers}) > 1:
            raise InputError(
                f"expected layers of widths {widths} and equally many rows in every batch, got shapes "
                f"{[tuple(X.shape) for X in layers]}; yield the same layers of the same samples each time"
            )
        yield (*layers, as_labels(y, len(layers[0])).to(layers[0].device))
