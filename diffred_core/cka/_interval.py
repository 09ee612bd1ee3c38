"""Confidence limits of subset CKA over rows, without n x n matrices: a jackknife over blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, reduce
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_features
from diffred_core.cka._subset import subset_cka
from diffred_core.errors import InputError
from diffred_core.intervals import check_level, jackknife_error, t_quantile
from diffred_core.moments import FeatureMoments
from diffred_core.moments.accumulation import LayerSums, in_features
from diffred_core.moments.blocks import BLOCK_ROWS, column_mean
from diffred_core.moments.power_sums import PowerSums
from diffred_core.moments.running_sums import Unit
from diffred_core.subsets import random_order


class CkaInterval(NamedTuple):
    """CKA of every subset with the full layer, and its limits; three tensors of shape (n_subsets,)."""

    value: Tensor
    low: Tensor
    high: Tensor


@torch.no_grad()
def subset_cka_interval(
    X: Tensor | ArrayLike,
    masks: Tensor,
    *,
    debiased: bool = True,
    level: float = 0.95,
    n_blocks: int = 20,
    seed: int = 0,
) -> CkaInterval:
    """Return `subset_cka` against the full layer with confidence limits over the rows.

    The rows are dealt at random to blocks; CKA is computed without each block in turn, from the power sums of all rows
    less those of the block, moved to the new mean; the spread gives the standard error (delete-a-group jackknife), and
    Student's t with n_blocks - 1 degrees of freedom the limits. CKA is a smooth function of means over rows, for which
    this is consistent; a bootstrap would need new d x d sums for every resample. Two passes, memory d x d.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Features; rows are taken to be independent.
    masks : Tensor of shape (n_subsets, n_features)
        Hard or soft masks.
    debiased : bool
        Whether to use the unbiased estimator of HSIC. The limits of the biased one are those of its own,
        biased, expectation.
    level : float
        Confidence level in (0, 1).
    n_blocks : int
        Number of blocks, from 2 to n_samples.
    seed : int
        Seed of the deal.

    Returns
    -------
    CkaInterval
        Limits above 1 are set to 1, which CKA cannot exceed.

    Raises
    ------
    InputError
        As `subset_cka`; or if `level` or `n_blocks` is out of range.
    """
    check_level(level)
    statistic = partial(subset_cka, masks=masks, debiased=debiased)
    estimate, without = jackknife_rows(X, statistic, n_blocks=n_blocks, seed=seed, quartic=debiased)
    error = torch.as_tensor(jackknife_error(without.cpu()), device=estimate.device)
    reach = t_quantile(level, degrees=n_blocks - 1) * error
    return CkaInterval(estimate, estimate - reach, (estimate + reach).clamp(max=1.0))


@torch.no_grad()
def jackknife_rows(
    X: Tensor | ArrayLike,
    statistic: Callable[[FeatureMoments], Tensor],
    *,
    n_blocks: int = 20,
    seed: int = 0,
    quartic: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return a statistic of the moments of all rows, and of all rows but those of each block.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Features; rows are taken to be independent.
    statistic : callable
        From `FeatureMoments` to a tensor.
    n_blocks, seed
        As in `subset_cka_interval`: the same rows are dealt alike, so that the blocks of two layers are pairs.
    quartic : bool
        Whether the moments have fourth ones, which debiased CKA needs.

    Returns
    -------
    Tensor, Tensor (n_blocks, ...)

    Raises
    ------
    InputError
        If `n_blocks` is out of range.
    """
    X = as_features(X)
    if not 2 <= n_blocks <= len(X):
        raise InputError(f"expected n_blocks from 2 to {len(X)} (the number of rows), got {n_blocks}; 20 is usual")
    unit = Unit.of(X[:BLOCK_ROWS], origin=column_mean(X))
    deal = random_order(len(X), seed=seed).to(X.device).tensor_split(n_blocks)

    def block_sums() -> Iterator[PowerSums]:
        return (_sums(X, rows, unit, quartic=quartic) for rows in deal)

    def value(sums: PowerSums) -> Tensor:
        return statistic(in_features(*sums.centred(), unit))

    total = reduce(PowerSums.combined, block_sums())
    return value(total), torch.stack([value(total.combined(block, sign=-1)) for block in block_sums()])


def _sums(X: Tensor, rows: Tensor, unit: Unit, *, quartic: bool) -> PowerSums:
    """Return the power sums of some rows of X, in `unit`."""
    layer = LayerSums(unit, labelled=False, n_classes=None, quartic=quartic, cubic=quartic)
    for part in rows.split(BLOCK_ROWS):
        layer.add(X[part])
    return layer.sums.power_sums()
