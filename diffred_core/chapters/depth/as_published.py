"""The published probe beside ours: a fixed run of AdamW, its best epoch chosen on the test rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from diffred_core import linear_probe
from diffred_core.chapters.depth.curves import Layers, splits_of
from diffred_core.errors import InputError
from diffred_core.results.rows import Row


def spread_layers(names: Sequence[str], count: int) -> list[str]:
    """Return `count` of `names`, evenly spread, the last among them.

    Raises
    ------
    InputError
        If `count` is negative.
    """
    if count < 0:
        raise InputError(f"published_layers must be at least 0, got {count}; 0 leaves the published probe out")
    step = len(names) / max(1, min(count, len(names)))
    return [names[round((i + 1) * step) - 1] for i in range(min(count, len(names)))]


def published_rows(
    layers: Layers, *, method: str, chosen: Sequence[str], split: str, seeds: Sequence[int]
) -> Iterator[Row]:
    """Yield, seed by seed, the accuracy as published, that of the epoch chosen on validation rows, and the difference.

    Harun et al. (2024), appendix A.8: 30 epochs of AdamW, the best test accuracy among them.
    """
    of = layers[chosen[-1]]
    X = {name: splits_of(layers[name], split, 0) for name in chosen}
    X = {name: {part: rows.float() for part, rows in parts.items()} for name, parts in X.items()}
    curves = linear_probe.probe_layers_by_epoch(X, {of.task: splits_of(of, split, 1)}, seeds=seeds)
    measured = {
        "accuracy_as_published": curves.as_published,
        "accuracy_selected_epoch": curves.selected,
        "optimism": curves.optimism,
    }
    for i, name in enumerate(chosen):
        who = {"layer": name, "n_features": layers[name].n_features, "task": of.task, "method": method}
        for repeat, seed in enumerate(seeds):
            for metric, values in measured.items():
                point = {"probe": "adamw", "repeat": repeat, "seed": seed, "metric": metric}
                yield who | point | {"value": float(values[i, 0, repeat])}
