"""Moments of the union of disjoint sets of rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor
from torch.nn.functional import pad

from diffred_core.errors import InputError
from diffred_core.moments._feature_moments import FeatureMoments
from diffred_core.moments.power_sums import PowerSums


def merge(parts: Sequence[FeatureMoments]) -> FeatureMoments:
    """Return the moments of all rows of `parts` together, exactly (Chan, Golub and LeVeque 1983, carried to order 4).

    Every part is moved from its own mean to the common one and added; nothing is ever subtracted.

    Parameters
    ----------
    parts : sequence of FeatureMoments
        Moments of disjoint sets of rows of the same features, such as shards or folds.

    Returns
    -------
    FeatureMoments
        With `quartic` if all parts have it; with as many classes as the part that has most.

    Raises
    ------
    InputError
        If there is no part, the parts have different features, only some have class sums, or a part has `quartic`
        without `cubic`.
    """
    parts = list(parts)
    if not parts:
        raise InputError("expected at least one FeatureMoments to merge, got none; pass a non-empty list")
    _check(parts)
    if len(parts) == 1:
        return parts[0]
    n = sum(part.n for part in parts)
    # averages of differences: equal means stay equal to the last bit
    mean = parts[0].mean + sum(part.n * (part.mean - parts[0].mean) for part in parts) / n
    sums = reduce(PowerSums.combined, (_moved(part, mean, keep=_quartic(parts)) for part in parts))
    class_sums, class_counts = _merged_classes(parts, mean)
    return FeatureMoments(n, mean, sums.xy, sums.xxyy, class_sums, class_counts, sums.xxy)


def _quartic(parts: Sequence[FeatureMoments]) -> bool:
    return all(part.quartic is not None for part in parts)


def _check(parts: Sequence[FeatureMoments]) -> None:
    widths = {part.n_features for part in parts}
    if len(widths) > 1:
        raise InputError(
            f"expected moments of the same features, got widths {sorted(widths)}; merge one layer at a time"
        )
    if len({part.class_sums is None for part in parts}) > 1:
        raise InputError("expected class sums in all moments or in none, got both; pass y for every shard, or for none")
    if len(parts) > 1 and _quartic(parts) and any(part.cubic is None for part in parts):
        raise InputError(
            "expected third moments beside the fourth ones of every part, got quartic without cubic; "
            "make the parts by moments.accumulate, or by from_features with cubic=True or quartic=False"
        )


def _moved(part: FeatureMoments, mean: Tensor, *, keep: bool) -> PowerSums:
    """Return the power sums of `part` about `mean`, of fourth order only if that is to be kept."""
    sums = part.power_sums()
    if not keep:
        sums = PowerSums(sums.n, sums.x, sums.y, sums.xx, sums.yy, sums.xy)
    shift = mean - part.mean
    return sums.about(shift, shift)


def _merged_classes(parts: Sequence[FeatureMoments], mean: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Return class sums about `mean` and class counts over all parts."""
    if parts[0].class_sums is None:
        return None, None
    totals = [part.class_totals for part in parts]
    n_classes = max(len(class_counts) for _, class_counts in totals)
    sums, counts = [], []
    for part, (class_sums, class_counts) in zip(parts, totals, strict=True):
        moved = class_sums + class_counts[:, None] * (part.mean - mean)
        sums.append(pad(moved, (0, 0, 0, n_classes - len(moved))))
        counts.append(pad(class_counts, (0, n_classes - len(moved))))
    return torch.stack(sums).sum(0), torch.stack(counts).sum(0)
