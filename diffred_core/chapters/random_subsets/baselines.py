"""What needs no features: the accuracy of a guess and of always giving the commonest class; the rows of a class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from diffred_core.chapters.random_subsets import names
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures


def baseline_rows(features: TaskFeatures, *, split: str) -> Iterator[Row]:
    """Yield what answers without features reach on `split`, and how many of its rows each class has.

    The commonest class is that of the training rows, the first of several; guessing gives every class alike.
    """
    counts = torch.bincount(features.splits["train"][1], minlength=features.n_classes)
    measured = torch.bincount(features.splits[split][1], minlength=features.n_classes)
    commonest = int(counts.argmax())
    share = float(measured[commonest] / measured.sum())
    yield {
        "method": names.MAJORITY,
        "metric": names.BASELINE,
        "label": features.classes[commonest],
        "value": share,
    }
    yield {"method": names.CHANCE, "metric": names.BASELINE, "value": 1 / features.n_classes}
    for label, count in zip(features.classes, measured.tolist(), strict=True):
        yield {"method": names.FULL, "metric": names.CLASS_ROWS, "label": label, "value": float(count)}
