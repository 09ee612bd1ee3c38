"""Features and labels of one task under one model, split for probes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.errors import InputError


@dataclass(frozen=True, eq=False)
class TaskFeatures:
    """Features of one model on one task.

    Attributes
    ----------
    model, task : str
        Names, for tables.
    classes : tuple of str
        Readable class names.
    keys : dict of str to str
        Key of the stored features of every split, for provenance.
    splits : dict of str to (X, y)
        ``train``, ``validation`` and ``test``, or those of them that were asked for; X is float32 of shape
        (n_samples, n_features), y int64 of shape (n_samples,).
    """

    model: str
    task: str
    classes: tuple[str, ...]
    keys: dict[str, str]
    splits: dict[str, tuple[Tensor, Tensor]]

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise InputError(
                f"expected at least 2 classes in task {self.task!r}, got {len(self.classes)}; a probe needs something "
                "to tell apart"
            )
        for split, (X, y) in self.splits.items():
            self._check_rows(split, X, y)

    @property
    def n_features(self) -> int:
        """Number of columns of every X."""
        return next(iter(self.splits.values()))[0].shape[1]

    @property
    def n_classes(self) -> int:
        """Number of classes of the task, whether or not every split has all of them."""
        return len(self.classes)

    @property
    def together(self) -> tuple[Tensor, Tensor]:
        """Rows of all splits, one split after the other: X (n_samples, n_features) and y (n_samples,)."""
        X, y = zip(*self.splits.values(), strict=True)
        return torch.cat(X), torch.cat(y)

    def _check_rows(self, split: str, X: Tensor, y: Tensor) -> None:
        if y is None:
            raise InputError(
                f"expected labels in the {split} split of {self.task!r}, got none; pass one class index a row"
            )
        if X.ndim != 2 or len(X) == 0 or y.shape != (len(X),):
            raise InputError(
                f"expected X of shape (n_samples, n_features) and one label a row in the {split} split of "
                f"{self.task!r}, got X {tuple(X.shape)} and y {tuple(y.shape)}; pass features and labels of the same "
                "samples"
            )
        if X.shape[1] != self.n_features:
            raise InputError(
                f"expected {self.n_features} features in every split of {self.task!r}, got {X.shape[1]} in {split}; "
                "take them from one layer"
            )
        if not bool(X.isfinite().all()):
            row = int((~X.isfinite()).any(dim=1).nonzero()[0])
            raise InputError(
                f"expected finite features, got NaN or infinity in row {row} of the {split} split of {self.task!r}; "
                "remove or repair that row"
            )
        if int(y.min()) < 0 or int(y.max()) >= self.n_classes:
            raise InputError(
                f"expected labels within 0..{self.n_classes - 1} in the {split} split of {self.task!r}, got "
                f"{int(y.min())}..{int(y.max())}; number the classes from 0"
            )
