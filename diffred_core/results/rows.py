"""Rows of a results table, as a sweep yields them, and the columns that all rows of one sweep share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

Row = dict[str, object]
KEYS = ["task", "model"]  # what tells the tables of one analysis apart


def shared_columns(features: TaskFeatures, *, experiment: str, split: str, layer: str) -> Row:
    """Return what does not change within a sweep over one layer of one model on one task."""
    return {
        "experiment": experiment,
        "task": features.task,
        "model": features.model,
        "layer": layer,
        "n_features": features.n_features,
        "split": split,
    }
