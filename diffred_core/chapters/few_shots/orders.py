"""The orders in which dimensions are kept: by importance to those who know the classes, and what they stand against."""

from __future__ import annotations

import torch
from torch import Tensor

from diffred_core.chapters.few_shots.setting import ESTIMATES, ORACLE, ORACLES, Setting

CONTROLS = ("random", "bottom", "top_variance")
ORDERS = (*ORACLES, *ESTIMATES, *CONTROLS)


def order_of(setting: Setting, name: str) -> Tensor:
    """Return one order for all episodes, (n_features,), or one for each, (n_episodes, n_features).

    ``random`` is another permutation in every episode, ``bottom`` the reverse of the published oracle, and
    ``top_variance`` looks at all rows but at no label. Every other name is somebody of `Setting.knowing`.
    """
    if name == "random":
        draw = torch.Generator().manual_seed(setting.episodes.seed)
        shape = len(setting.episodes), setting.source.X.shape[1]
        return torch.rand(shape, generator=draw).argsort(dim=-1)
    if name == "top_variance":
        return setting.source.X.double().var(0).argsort(descending=True, stable=True)
    if name == "bottom":
        return by_importance(setting.importance(ORACLE)).flip(-1)
    return by_importance(setting.importance(name))


def by_importance(R: Tensor) -> Tensor:
    """Return the dimensions by falling importance; of equally important ones the first comes first."""
    return R.argsort(dim=-1, descending=True, stable=True)
