"""What the tasks of a sweep over layers must have in common, and which of their rows are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from diffred_core.chapters.depth.curves import Layers
from diffred_core.errors import InputError

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures


def check_layers(layers: Layers, transfer: Sequence[Layers], shifted: Sequence[Layers], *, split: str) -> None:
    """Refuse fewer than two layers, other layers in another task, and rows that cannot be measured or fitted."""
    if len(layers) < 2:
        raise InputError(f"layers must hold at least 2 layers to compare, got {', '.join(layers) or 'none'}; name more")
    for other in (*transfer, *shifted):
        if tuple(other) != tuple(layers):
            task = repr(next(iter(other.values())).task) if other else "an OOD task"
            raise InputError(
                f"expected the layers {', '.join(layers)} of {task} too, got {', '.join(other) or 'none'}; load all "
                "tasks with the same layers"
            )
    for one in (layers, *transfer):
        _check_split(next(iter(one.values())), "train", why="they fit the probes")
    for one in (layers, *transfer, *shifted):
        _check_measured(next(iter(one.values())), split)


def same_rows(layers: Layers, other: Layers) -> bool:
    """Return whether the rows of `other` are those of `layers`, corrupted: by its name, as in ``mnist5k+noise:3``."""
    source, second = (next(iter(one.values())).task for one in (layers, other))
    return second.startswith(f"{source}+")


def _check_measured(task: TaskFeatures, split: str) -> None:
    if split == "validation" or split not in task.splits:
        raise InputError(
            f"split must be one of {', '.join(name for name in task.splits if name != 'validation')} of "
            f"{task.task!r}, got {split!r}; validation rows choose the regulariser"
        )
    _check_split(task, "validation", why="they choose the regulariser and the layer")
    if len(task.splits[split][1].unique()) < 2:
        raise InputError(
            f"expected at least 2 classes among the {split} rows of {task.task!r}, got one; measure it on rows of "
            "several classes"
        )


def _check_split(task: TaskFeatures, split: str, *, why: str) -> None:
    if split not in task.splits:
        raise InputError(
            f"expected a split {split!r} of {task.task!r}, got {', '.join(task.splits)}; hold rows out: {why}"
        )
