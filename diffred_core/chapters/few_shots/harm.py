"""Which dimensions stand in the way: by spread and distance of the classes, in theory and by leaving them out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor

from diffred_core import few_shot, soft_mask
from diffred_core.chapters.few_shots.names import CELLS, EUCLIDEAN
from diffred_core.chapters.few_shots.setting import Setting, episode_row
from diffred_core.results.rows import Row

IDLE = 1e-3  # the dimensions of least variance that hold this share of it together take no part


def harm_rows(setting: Setting) -> Iterator[Row]:
    """Yield the share of dimensions that do not help a pair of classes: for want of shots, or never.

    By the criterion of `few_shot.helps`, each dimension given all others, with the means and spreads of all rows;
    mean, deviation and number are over pairs of classes. Each cell holds a ninth of the dimensions: a third by
    spread, and of those a third by the distance of the class means. Dimensions that hardly vary (`IDLE`), such as
    units that a task never wakes, neither help nor harm a distance and are in no cell.
    """
    classes = soft_mask.class_statistics(setting.source.X, setting.source.y)
    active = _active(setting.source.X)
    shares: dict[tuple[str, str], list[Tensor]] = {}
    for a, b in combinations(range(len(classes.mean)), 2):
        gap, spread = (classes.mean[a] - classes.mean[b]).abs(), _common(classes.spread[[a, b]])
        roles = few_shot.harm(gap, spread, n_shot=setting.episodes.n_shot)
        for cell, members in _cells(spread, gap, active).items():
            for role in ("few_shot", "metric"):
                shares.setdefault((cell, role), []).append(roles[role][members].double().mean())
    for (cell, role), values in shares.items():
        point = setting.point | {"method": "theory", "label": cell}
        yield episode_row(point, f"{role}_share", torch.stack(values))


def left_out_rows(setting: Setting) -> Iterator[Row]:
    """Yield the gain of leaving the dimensions of a cell out, over episodes; cells by the means over classes."""
    X, width = setting.source.X, setting.source.X.shape[1]
    classes = soft_mask.class_statistics(X, setting.source.y)
    gaps = [(classes.mean[a] - classes.mean[b]).abs() for a, b in combinations(range(len(classes.mean)), 2)]
    cells = _cells(_common(classes.spread), torch.stack(gaps).mean(0), _active(X))
    masks = torch.ones(len(cells) + 1, width, dtype=X.dtype, device=X.device)
    for mask, members in zip(masks[1:], cells.values(), strict=True):
        mask[members] = 0
    masks = masks[:, None].expand(-1, len(setting.episodes), -1)
    plain, *others = few_shot.centroid_curve(X, setting.episodes, torch.arange(width), [width], mask=masks)[..., 0]
    for (cell, members), values in zip(cells.items(), others, strict=True):
        left = width - len(members)
        point = setting.point | {"method": "left_out", "probe": EUCLIDEAN, "label": cell, "n_selected": left}
        yield episode_row(point, "gain", values - plain)


def _common(spread: Tensor) -> Tensor:
    """Return the root of the mean variance over classes, (n_features,)."""
    return spread.square().mean(0).sqrt()


def _active(X: Tensor) -> Tensor:
    """Return the dimensions that vary, growing."""
    variance, order = X.double().var(0).sort()
    return order[variance.cumsum(0) > IDLE * variance.sum()].sort().values


def _cells(spread: Tensor, gap: Tensor, active: Tensor) -> dict[str, Tensor]:
    """Return the dimensions of every cell of `CELLS`, equally many up to one."""
    thirds = active[spread[active].argsort(stable=True)].tensor_split(3)
    ninths = (part for third in thirds for part in third[gap[third].argsort(stable=True)].tensor_split(3))
    return dict(zip(CELLS, ninths, strict=True))
