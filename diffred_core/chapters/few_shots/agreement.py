"""How near the importance that few shots tell is to that which all rows tell, and how much its formula matters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import torch
from torch import Tensor

from diffred_core import few_shot, soft_mask
from diffred_core.chapters.few_shots.names import EUCLIDEAN, WITHOUT_QUERIES
from diffred_core.chapters.few_shots.setting import Setting, by_importance, episode_row
from diffred_core.results.rows import Row
from diffred_core.soft_mask import ImportanceKind

OVERLAPS = (0.01, 0.05, 0.2)  # shares of the dimensions at which the best of both are compared
SHRINKAGE = 0.5
KIND_FRACTION = 0.05
KINDS = get_args(ImportanceKind)


def agreement_rows(setting: Setting) -> Iterator[Row]:
    """Yield rank correlation and overlap of every importance with the oracle that does not see the queries.

    A chance order has correlation 0 and an overlap of the share itself.
    """
    ranked = {(who, who): setting.importance(who) for who in setting.knowing if who != WITHOUT_QUERIES}
    for who in setting.estimates:
        ranked[who, f"{who}_shrunk"] = soft_mask.importance(setting.statistics(who), shrinkage=SHRINKAGE)
    reference = setting.importance(WITHOUT_QUERIES)
    ranks = centred_ranks(reference)
    for (who, name), R in ranked.items():
        point = setting.point_of(who) | {"method": name}
        yield episode_row(point, "rank_correlation", correlation(centred_ranks(R), ranks))
        for fraction in OVERLAPS:
            size = setting.size(fraction)
            here = point | {"fraction": fraction, "n_selected": size}
            yield episode_row(here, "overlap", overlap(R, reference, size))


def kind_rows(setting: Setting) -> Iterator[Row]:
    """Yield, for every way to go from pairs to many classes, its agreement with the mean and the gain of its top."""
    by_kind = {kind: soft_mask.importance(setting.statistics(WITHOUT_QUERIES), kind=kind) for kind in KINDS}
    width, size = setting.sizes[-1], setting.size(KIND_FRACTION)
    ranks = centred_ranks(by_kind["mean_pair"])
    for kind, R in by_kind.items():
        point = setting.point | {"method": f"kind_{kind}", "probe": EUCLIDEAN}
        yield episode_row(point, "rank_correlation", correlation(centred_ranks(R), ranks))
        accuracy = few_shot.centroid_curve(setting.source.X, setting.episodes, by_importance(R), [size, width])
        here = point | {"fraction": KIND_FRACTION, "n_selected": size}
        yield episode_row(here, "gain", accuracy[:, 0] - accuracy[:, 1])


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
