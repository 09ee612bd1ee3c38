"""A seeded task whose features are redundant: a few signals spread over many columns."""

from __future__ import annotations

import torch

from diffred_core.features import TaskFeatures


def make_task(
    *, n_samples=(200, 100, 120), n_features=40, n_classes=4, rank=6, noise=0.5, seed=0, shuffled=False
) -> TaskFeatures:
    """Return features ``Z A + noise`` with class means in the signals `Z`; `shuffled` cuts labels from features."""
    draw = torch.Generator().manual_seed(seed)
    mixing = torch.randn(rank, n_features, generator=draw)
    means = 1.5 * torch.randn(n_classes, rank, generator=draw)
    splits = {}
    for split, n in zip(("train", "validation", "test"), n_samples, strict=True):
        y = torch.arange(n) % n_classes
        signals = means[y] + torch.randn(n, rank, generator=draw)
        X = signals @ mixing + noise * torch.randn(n, n_features, generator=draw)
        splits[split] = X, y[torch.randperm(n, generator=draw)] if shuffled else y
    names = tuple(f"class {i}" for i in range(n_classes))
    return TaskFeatures("synthetic", "signals", names, dict.fromkeys(splits, "none"), splits)
