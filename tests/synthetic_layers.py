"""Layers of a made-up network on made-up tasks: which layer is good for what is decided here."""

from __future__ import annotations

import torch

from diffred_core.features import TaskFeatures

WIDTHS = (6, 8, 12, 16)
NAMES = ("first", "second", "third", "last")


def make_layers(
    quality=(0.3, 1.0, 2.0, 2.0),
    *,
    task="home",
    n_samples=(150, 120, 160),
    n_classes=4,
    seed=0,
    offset=0.0,
    shuffled=False,
    classes=None,
) -> dict[str, TaskFeatures]:
    """Return layers whose class means stand `quality` deviations from each other; `offset` moves all rows.

    The means depend on the layer alone, so that the probe of one task can be measured on another.
    """
    draw = torch.Generator().manual_seed(seed)
    labels = [torch.arange(n) % n_classes for n in n_samples]
    names = classes or tuple(f"class {c}" for c in range(n_classes))
    layers = {}
    for number, (name, width, good) in enumerate(zip(NAMES, WIDTHS, quality, strict=True)):
        means = torch.randn(n_classes, width, generator=torch.Generator().manual_seed(number))
        splits = {}
        for split, y in zip(("train", "validation", "test"), labels, strict=True):
            X = good * means[y] + torch.randn(len(y), width, generator=draw) + offset
            splits[split] = X, y[torch.randperm(len(y), generator=draw)] if shuffled else y
        layers[name] = TaskFeatures("made up", task, names, dict.fromkeys(splits, "none"), splits)
    return layers
