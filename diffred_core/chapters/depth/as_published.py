"""The published probe beside ours: a fixed run of AdamW, its best epoch chosen on the test rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from diffred_core import linear_probe
from diffred_core.chapters.depth.curves import Layers, labels_of, rows_of
from diffred_core.chapters.depth.names import AS_PUBLISHED, SELECTED_EPOCH
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
    X = {name: {part: rows.float() for part, rows in rows_of(layers[name], split).items()} for name in chosen}
    curves = linear_probe.probe_layers_by_epoch(X, {of.task: labels_of(of, split)}, seeds=seeds)
    measured = (
        ({"metric": "accuracy", "recipe": AS_PUBLISHED}, curves.as_published),
        ({"metric": "accuracy", "recipe": SELECTED_EPOCH}, curves.selected),
        ({"metric": "optimism"}, curves.optimism),
    )
    for i, name in enumerate(chosen):
        shared = {"layer": name, "n_features": layers[name].n_features, "task": of.task, "n_way": of.n_classes}
        for repeat, seed in enumerate(seeds):
            draw = {"method": method, "probe": "adamw", "repeat": repeat, "seed": seed}
            for kind, values in measured:
                yield shared | draw | kind | {"value": float(values[i, 0, repeat])}
