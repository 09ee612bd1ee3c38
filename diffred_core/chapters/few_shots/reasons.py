"""What explains the accuracies: how well estimated importance agrees with an oracle's, and which dimensions do harm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import get_args

import torch
from torch import Tensor

from diffred_core import few_shot, soft_mask
from diffred_core.chapters.few_shots.accuracy import by_mask
from diffred_core.chapters.few_shots.names import EUCLIDEAN, NINTHS, SHRUNK, UPPER_FRACTION, WITHOUT_QUERIES
from diffred_core.chapters.few_shots.setting import Setting, by_importance, episode_row
from diffred_core.results.rows import Row
from diffred_core.soft_mask import ClassStatistics, ImportanceKind

_PAIR_VALUES = 2**18  # of one statistic of pairs of classes held at once: the passes over them then stay in the cache
OVERLAPS = (0.01, 0.05, 0.2)  # shares of the dimensions at which the best of both are compared
SHRINKAGE = 0.5
IDLE = 1e-3  # the dimensions of least variance that hold this share of it together take no part


def agreement_rows(setting: Setting) -> Iterator[Row]:
    """Yield rank correlation and overlap of every importance with the oracle that does not see the queries.

    A chance order has correlation 0 and an overlap of the share itself.
    """
    ranked: dict[tuple[str, str | None], Tensor]
    ranked = {(basis, None): setting.importance(basis) for basis in setting.bases if basis != WITHOUT_QUERIES}
    for basis in setting.estimates:
        ranked[basis, SHRUNK] = soft_mask.importance(setting.statistics(basis), shrinkage=SHRINKAGE)
    reference = setting.importance(WITHOUT_QUERIES)
    ranks = centred_ranks(reference)
    for (basis, label), R in ranked.items():
        point = setting.point_of(basis) | {"method": basis} | ({"label": label} if label else {})
        yield episode_row(point, "rank_correlation", correlation(centred_ranks(R), ranks))
        for fraction in OVERLAPS:
            size = setting.size(fraction)
            here = point | {"fraction": fraction, "n_selected": size}
            yield episode_row(here, "overlap", overlap(R, reference, size))


def kind_rows(setting: Setting) -> Iterator[Row]:
    """Yield, for every way to go from pairs to many classes, its agreement with the mean and the gain of its top."""
    known = setting.statistics(WITHOUT_QUERIES)
    by_kind = {kind: soft_mask.importance(known, kind=kind) for kind in get_args(ImportanceKind)}
    width, size = setting.sizes[-1], setting.size(UPPER_FRACTION)
    ranks = centred_ranks(by_kind["mean_pair"])
    for kind, R in by_kind.items():
        point = setting.point | {"method": "kind", "label": kind, "probe": EUCLIDEAN}
        yield episode_row(point, "rank_correlation", correlation(centred_ranks(R), ranks))
        accuracy = few_shot.centroid_curve(setting.data.X, setting.episodes, by_importance(R), [size, width])
        here = point | {"fraction": UPPER_FRACTION, "n_selected": size}
        yield episode_row(here, "gain", accuracy[:, 0] - accuracy[:, 1])


def harm_rows(setting: Setting) -> Iterator[Row]:
    """Yield which dimensions stand in the way: shares of them by theory, and the gain of leaving some out.

    By ninths of the dimensions: a third by spread, and of those a third by the distance of the class means. Dimensions
    that hardly vary (`IDLE`), such as units that a task never wakes, neither help nor harm a distance and are in no
    ninth.
    """
    classes, active = soft_mask.class_statistics(setting.data.X, setting.data.y), _active(setting.data.X)
    yield from _share_rows(setting, classes, active)
    yield from _left_out_rows(setting, _ninths(_common(classes.spread), _mean_gap(classes.mean), active))


def overlap(a: Tensor, b: Tensor, size: int) -> Tensor:
    """Return the share of the `size` largest of `a` that are among those of `b`, over the last dimension."""
    among = torch.zeros(b.shape, dtype=torch.bool, device=b.device)
    among.scatter_(-1, b.topk(size).indices, True)
    return among.gather(-1, a.topk(size).indices).double().mean(-1)


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Return the correlation of centred rows over the last dimension; of `centred_ranks` it is Spearman's."""
    length = (a.square().sum(-1) * b.square().sum(-1)).sqrt()
    return torch.where(length > 0, (a * b).sum(-1) / length.clamp_min(torch.finfo(length.dtype).tiny), 0.0)


def centred_ranks(values: Tensor) -> Tensor:
    """Return the ranks of the last dimension less their mean, of float64; ties have their mean rank."""
    ordered, places = values.sort(dim=-1)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    group = new.cumsum(-1) - 1
    position = torch.arange(values.shape[-1], dtype=torch.float64, device=values.device).expand(values.shape)
    total = torch.zeros_like(position).scatter_add(-1, group, position)
    count = torch.zeros_like(position).scatter_add(-1, group, torch.ones_like(position))
    ranks = torch.empty_like(position).scatter(-1, places, (total / count.clamp_min(1)).gather(-1, group))
    return ranks - ranks.mean(-1, keepdim=True)


def _share_rows(setting: Setting, classes: ClassStatistics, active: Tensor) -> Iterator[Row]:
    """Yield the share of dimensions of a ninth that do not help a pair of classes: for want of shots, or never.

    By the criterion of `few_shot.helps`, each dimension given all others, with the means and spreads of all rows;
    ninths by the two classes; mean, deviation and number are over pairs of classes.
    """
    shares: dict[tuple[str, str], list[Tensor]] = {}
    for pairs in _pairs(*classes.mean.shape):
        gap, spread = _gap(classes.mean[pairs]), _common(classes.spread[pairs])
        roles = few_shot.harm(gap, spread, n_shot=setting.episodes.n_shot)
        for ninth, members in _ninths(spread, gap, active).items():
            for role in ("few_shot", "metric"):
                shares.setdefault((ninth, role), []).append(roles[role].gather(1, members).double().mean(1))
    for (ninth, role), values in shares.items():
        point = setting.point | {"method": "theory", "label": ninth}
        yield episode_row(point, f"{role}_share", torch.cat(values))


def _left_out_rows(setting: Setting, ninths: dict[str, Tensor]) -> Iterator[Row]:
    """Yield the gain of leaving the dimensions of a ninth out, over episodes; ninths by the means over classes."""
    X, width = setting.data.X, setting.data.X.shape[1]
    ninths = {ninth: members for ninth, members in ninths.items() if len(members) < width}  # something must be left
    masks = torch.ones(len(ninths) + 1, width, dtype=X.dtype, device=X.device)
    for mask, members in zip(masks[1:], ninths.values(), strict=True):
        mask[members] = 0
    plain, *others = by_mask(setting, masks[:, None].expand(-1, len(setting.episodes), -1))
    for (ninth, members), values in zip(ninths.items(), others, strict=True):
        left = width - len(members)
        point = setting.point | {"method": "left_out", "probe": EUCLIDEAN, "label": ninth, "n_selected": left}
        yield episode_row(point, "gain", values - plain)


def _pairs(n_classes: int, n_features: int) -> Iterable[Tensor]:
    """Return the pairs of classes, (2, m) each time: few enough to stay in the cache."""
    return torch.triu_indices(n_classes, n_classes, 1).split(max(1, _PAIR_VALUES // n_features), 1)


def _gap(mean: Tensor) -> Tensor:
    """Return the distance of two classes along every dimension, (..., n_features), of their means (2, ...)."""
    return (mean[0] - mean[1]).abs_()


def _mean_gap(mean: Tensor) -> Tensor:
    """Return the mean of `_gap` over all pairs of classes, (n_features,)."""
    n_classes = len(mean)
    gaps = (_gap(mean[pairs]).sum(0) for pairs in _pairs(*mean.shape))
    return reduce(torch.add, gaps) / (n_classes * (n_classes - 1) / 2)


def _common(spread: Tensor) -> Tensor:
    """Return the root of the mean variance over classes, (..., n_features), of their spreads (n_classes, ...)."""
    return spread.square().mean(0).sqrt()


def _active(X: Tensor) -> Tensor:
    """Return the dimensions that vary, growing."""
    variance, order = X.double().var(0).sort()
    return order[variance.cumsum(0) > IDLE * variance.sum()].sort().values


def _ninths(spread: Tensor, gap: Tensor, active: Tensor) -> dict[str, Tensor]:
    """Return the dimensions of every ninth of `NINTHS` that has some, (..., size), equally many up to one."""
    thirds = active[spread[..., active].argsort(stable=True)].tensor_split(3, -1)
    ordered = (third.gather(-1, gap.gather(-1, third).argsort(stable=True)) for third in thirds)
    parts = (part for third in ordered for part in third.tensor_split(3, -1))
    return {ninth: part for ninth, part in zip(NINTHS, parts, strict=True) if part.shape[-1]}
