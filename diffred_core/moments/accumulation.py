"""From rows to moments: all rows at once, or one pass over batches, of one layer or of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import one_hot, pad

from diffred_core.checks import as_features, as_labels
from diffred_core.errors import InputError
from diffred_core.moments._feature_moments import FeatureMoments
from diffred_core.moments.blocks import BLOCK_ROWS, Batches, checked, column_mean, reblocked
from diffred_core.moments.power_sums import PowerSums
from diffred_core.moments.running_sums import RunningSums, Unit
from diffred_core.precision import full_precision


class _ClassTotals:
    """Sum and number of the rows of every class; without `n_classes` they grow with every new class."""

    def __init__(self, n_features: int, *, n_classes: int | None, device: torch.device):
        self.n_classes = n_classes
        self.sums = torch.zeros(n_classes or 0, n_features, dtype=torch.float64, device=device)
        self.counts = torch.zeros(n_classes or 0, dtype=torch.float64, device=device)

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add the rows of x to the sums of their classes."""
        greatest = int(y.max())
        if self.n_classes is not None and greatest >= self.n_classes:
            raise InputError(
                f"expected labels below n_classes={self.n_classes}, got {greatest}; "
                "pass the number of classes of the task, or leave n_classes out"
            )
        missing = max(0, greatest + 1 - len(self.counts))
        self.sums, self.counts = pad(self.sums, (0, 0, 0, missing)), pad(self.counts, (0, missing))
        # a product with one-hot labels, not index_add: the same to the last bit on every run of a GPU
        membership = one_hot(y, len(self.counts)).to(x.dtype)
        self.sums += membership.T @ x
        self.counts += membership.sum(0, dtype=torch.float64)


class LayerSums:
    """Running sums of one layer in one unit, with class sums where there are labels."""

    def __init__(self, unit: Unit, *, labelled: bool, n_classes: int | None, quartic: bool, cubic: bool):
        d, device = len(unit.origin), unit.origin.device
        self.unit = unit
        self.sums = RunningSums((d, d), quartic=quartic, cubic=cubic, device=device)
        self.classes = _ClassTotals(d, n_classes=n_classes, device=device) if labelled else None

    def add(self, X: Tensor, y: Tensor | None = None) -> None:
        """Add the rows of `X`."""
        with full_precision(X.device):
            x = self.unit.apply(X)
            self.sums.add(x, x)
            if self.classes is not None and y is not None:
                self.classes.add(x, y)

    def moments(self) -> FeatureMoments:
        """Return the moments of all rows, at the end: they take the memory of the sums, which are spent.

        Without third-order sums the fourth-order ones stay about the unit's origin, which then has to be the mean.
        """
        sums = self.sums.power_sums()
        centred, shift = sums.centred(in_place=True)
        if sums.xxy is None:
            centred = replace(centred, xxyy=sums.xxyy)
        return in_features(centred, shift, self.unit, self.classes)


def in_features(sums: PowerSums, shift: Tensor, unit: Unit, classes: _ClassTotals | None = None) -> FeatureMoments:
    """Return centred power sums, summed in `unit` and moved by `shift`, as moments of the features themselves.

    The matrices of `sums` become those of the moments.
    """

    def unscaled(total: Tensor | None, order: int) -> Tensor | None:
        return None if total is None else total.div_(unit.scale**order)

    return FeatureMoments(
        n=sums.n,
        mean=unit.origin + shift / unit.scale,
        gram=sums.xy.div_(unit.scale**2),
        quartic=unscaled(sums.xxyy, 4),
        cubic=unscaled(sums.xxy, 3),
        class_sums=None if classes is None else unscaled(classes.sums - classes.counts[:, None] * shift, 1),
        class_counts=None if classes is None else classes.counts,
    )


@torch.no_grad()
def from_features(
    X: Tensor | ArrayLike,
    y: Tensor | ArrayLike | None = None,
    *,
    n_classes: int | None = None,
    quartic: bool = True,
    cubic: bool = False,
    block_rows: int = BLOCK_ROWS,
) -> FeatureMoments:
    """Return the moments of features that are in memory.

    The rows are centred at their exact mean first; equal, to rounding, to `accumulate` over any batches of them.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Features. Products run in float32 (TF32 off) or, for float64 features, in float64; totals are float64.
    y : LongTensor of shape (n_samples,), optional
        Class indices.
    n_classes : int, optional
        Number of classes; by default one more than the greatest label.
    quartic : bool
        Whether to sum Q, which debiased CKA needs; without it the cost is halved.
    cubic : bool
        Whether to sum T, which only merging of quartic moments needs.
    block_rows : int
        Rows that are centred and multiplied at a time: memory beyond `X` is about
        ``8 * block_rows * n_features`` bytes and the d x d totals.

    Raises
    ------
    InputError
        If the shapes do not fit, a label is out of range, or a feature is not finite.
    """
    X = as_features(X)
    y = None if y is None else as_labels(y, len(X)).to(X.device)
    unit = Unit.of(X[:block_rows], origin=column_mean(X))
    layer = LayerSums(unit, labelled=y is not None, n_classes=n_classes, quartic=quartic, cubic=cubic)
    for block in reblocked([(X,) if y is None else (X, y)], block_rows):
        layer.add(*block)
    return layer.moments()


def first_and_all(blocks: Iterator[tuple[Tensor, ...]]) -> tuple[tuple[Tensor, ...], Iterator[tuple[Tensor, ...]]]:
    """Return the first block and an iterator over all of them."""
    first = next(blocks, None)
    if first is None:
        raise InputError("expected at least one batch, got none; iterators can be read only once")
    return first, chain([first], blocks)


def labelled_blocks(batches: Batches, block_rows: int) -> Iterator[tuple[Tensor, ...]]:
    """Return the checked rows of `batches` in blocks of one size, as (X,) or (X, y)."""
    pairs = checked(batches)
    return reblocked(((X,) if y is None else (X, y) for X, y in pairs), block_rows)


@torch.no_grad()
def accumulate(
    batches: Batches, *, n_classes: int | None = None, quartic: bool = True, block_rows: int = BLOCK_ROWS
) -> FeatureMoments:
    """Return the moments of any number of rows in one exact pass over batches.

    Sums are taken about the mean of the first block of rows and moved to the mean of all rows at the end, with
    every binomial term (`PowerSums.about`), so that a large common offset costs no digits. The batches are cut
    anew into blocks of `block_rows`: their sizes do not change a single bit of the result, their order only
    the rounding.

    Parameters
    ----------
    batches : iterable of Tensor (n, n_features) or of pairs (X, y)
        Batches of any sizes, read once.
    n_classes, block_rows
        As in `from_features`.
    quartic : bool
        Whether to sum Q (and T, which its correction needs): three products a block, else one.

    Returns
    -------
    FeatureMoments
        With `cubic`, if `quartic`, so that the results of several shards can be merged.

    Raises
    ------
    InputError
        If there is no batch, or batches differ in width, dtype, device or labelling, or a feature is not finite.
    """
    first, blocks = first_and_all(labelled_blocks(batches, block_rows))
    layer = LayerSums(Unit.of(first[0]), labelled=len(first) == 2, n_classes=n_classes, quartic=quartic, cubic=quartic)
    for block in blocks:
        layer.add(*block)
    return layer.moments()


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
    first, blocks = first_and_all(reblocked(_checked_layers(batches), block_rows))
    layers = [
        LayerSums(Unit.of(X), labelled=True, n_classes=n_classes, quartic=quartic, cubic=quartic) for X in first[:-1]
    ]
    for *rows, y in blocks:
        for layer, X in zip(layers, rows, strict=True):
            layer.add(X, y)
    return [layer.moments() for layer in layers]


def _checked_layers(batches: Iterable[tuple[Tensor, ...]]) -> Iterable[tuple[Tensor, ...]]:
    widths: list[int] | None = None
    for *layers, y in batches:
        layers = [as_features(X) for X in layers]
        batch_widths = [X.shape[1] for X in layers]
        widths = batch_widths if widths is None else widths
        if not layers or batch_widths != widths or len({len(X) for X in layers}) > 1:
            raise InputError(
                f"expected layers of widths {widths} and equally many rows in every batch, got shapes "
                f"{[tuple(X.shape) for X in layers]}; yield the same layers of the same samples each time"
            )
        yield (*layers, as_labels(y, len(layers[0])).to(layers[0].device))
