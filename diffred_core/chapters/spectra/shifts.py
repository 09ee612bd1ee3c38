"""A task and another domain of it: what a probe may read, and what only an oracle and the measurement may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffred_core.chapters.spectra import names
from diffred_core.checks import check_same_classes
from diffred_core.errors import InputError

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

Rows = tuple[Tensor, Tensor]  # X (n_samples, n_features) and y (n_samples,)
FEWEST = 2  # classes of a label shift: one becomes rare


@dataclass(frozen=True, eq=False)
class Shift:
    """Rows of two domains with their labels.

    Attributes
    ----------
    name : str
        Of the target.
    train, validation : Rows
        Of the source; their labels may be read.
    target : Rows
        Training rows of the target; labels are read by an oracle alone.
    target_validation, measured : Rows
        Of the target: for the choice of an oracle, and for the measurement.
    kept : Tensor (n_classes,) of float64
        Share of the rows of each class that a label shift has kept; 1 without.
    severity : float
        Of the label shift, in [0, 1).
    """

    name: str
    train: Rows
    validation: Rows
    target: Rows
    target_validation: Rows
    measured: Rows
    kept: Tensor
    severity: float = 0.0

    @classmethod
    def of(
        cls, source: Mapping[str, Rows], target: Mapping[str, Rows], *, split: str, n_classes: int, name: str
    ) -> Shift:
        """Return the shift from the splits of a task to those of another domain."""
        kept = torch.ones(n_classes, dtype=torch.float64)
        rows = source["train"], source["validation"], target["train"], target["validation"], target[split]
        return cls(name, *rows, kept)

    @classmethod
    def within(cls, features: TaskFeatures, *, split: str, seed: int) -> Shift:
        """Return no shift at all: a random half of the training rows of every class is the source, the rest the target.

        A row without another of its class is of the source.
        """
        (X, y), draw = features.splits["train"], torch.Generator().manual_seed(seed)
        first = torch.zeros(len(y), dtype=torch.bool)
        for c in range(features.n_classes):
            rows = (y == c).nonzero()[:, 0].cpu()
            first[rows[torch.randperm(len(rows), generator=draw)[: -(-len(rows) // 2)]]] = True
        first = first.to(y.device)
        source, target = (features.splits | {"train": (X[half], y[half])} for half in (first, ~first))
        return cls.of(source, target, split=split, n_classes=features.n_classes, name=names.NO_SHIFT)

    def with_rare_classes(self, severity: float, *, seed: int) -> Shift:
        """Return the shift with a label shift on top: of half of the target's classes most training rows are dropped.

        Which classes become rare, and which of their rows stay, is drawn by `seed`; of each the share ``1 - severity``
        stays, at least one row. Rows that are measured stay, and weigh what their class has kept: the mean over all
        draws of such rows, without its chance.

        Raises
        ------
        InputError
            A severity outside [0, 1), or fewer than two classes.
        """
        if not 0 <= severity < 1:
            raise InputError(
                f"expected label shifts in [0, 1), got {severity}; 0.9 keeps one in ten of the rare classes"
            )
        if severity == 0:
            return self
        (X, y), draw = self.target, torch.Generator().manual_seed(seed)
        n_classes, stays, kept = len(self.kept), torch.ones(len(y), dtype=torch.bool), self.kept.clone()
        for c in torch.randperm(n_classes, generator=draw)[: n_classes // FEWEST].tolist():
            rows = (y == c).nonzero()[:, 0].cpu()
            rows = rows[torch.randperm(len(rows), generator=draw)]
            n_kept = max(1, round((1 - severity) * len(rows)))
            stays[rows[n_kept:]] = False
            kept[c] = min(1.0, n_kept / max(1, len(rows)))
        stays = stays.to(y.device)
        return replace(self, target=(X[stays], y[stays]), kept=kept, severity=severity)

    def part(self, columns: Tensor) -> Shift:
        """Return the same rows with these features alone."""
        columns = columns.to(self.train[0].device)

        def narrow(rows: Rows) -> Rows:
            return rows[0][:, columns], rows[1]

        return replace(
            self,
            train=narrow(self.train),
            validation=narrow(self.validation),
            target=narrow(self.target),
            target_validation=narrow(self.target_validation),
            measured=narrow(self.measured),
        )

    def accuracy(self, predicted: Tensor, y: Tensor) -> float:
        """Return the share of rows of the target that are right, each weighing what its class has kept."""
        weight = self.kept.to(y.device)[y]
        return float((weight * (predicted == y)).sum() / weight.sum())


def check_domain(of_task: TaskFeatures, source: TaskFeatures, *, split: str) -> None:
    """Refuse a domain that lacks splits, or has other features or classes than the source, or none of a class.

    Raises
    ------
    InputError
        With what it lacks.
    """
    for needed, why in (("train", "they are measured"), ("validation", "they choose regularisers"), (split, "")):
        if needed not in of_task.splits:
            raise InputError(
                f"expected a split {needed!r} of {of_task.task!r}, got {', '.join(of_task.splits)}; hold rows out"
                f"{why and ': ' + why}"
            )
    if of_task.n_features != source.n_features:
        raise InputError(
            f"expected {source.n_features} features of {of_task.task!r} under {of_task.model!r} as in the layer, "
            f"got {of_task.n_features}; take the same layer of the same design"
        )
    classes = {"classes": source.classes, "other_classes": of_task.classes}
    check_same_classes(source.task, other=of_task.task, **classes)
    if len(of_task.splits["train"][1].unique()) < source.n_classes:
        raise InputError(
            f"expected training rows of all {source.n_classes} classes of {of_task.task!r}, got "
            f"{len(of_task.splits['train'][1].unique())}; leave out classes without rows"
        )
