"""Features and labels of one task under one model, split for probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffred_core import datasets
from diffred_core.errors import InputError
from diffred_core.features._embeddings import PREFIX, read_embeddings
from diffred_core.features._layers import PENULTIMATE
from diffred_core.features._request import Request
from diffred_core.features._stores import finished_stores


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
        return tuple(torch.cat(parts) for parts in zip(*self.splits.values(), strict=True))

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


def load(
    model: str,
    task: str,
    *,
    checkpoint: Path | str | None = None,
    root: Path | str | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    layer: str = PENULTIMATE,
    image_size: int | None = None,
    model_args: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> TaskFeatures:
    """Return the features of a model on a task, extracting what is not kept yet.

    Parameters
    ----------
    model : str
        A model as `backbones.load` takes it; for ``embeddings:PATH`` any name.
    task : str
        A task as `datasets.load` takes it, or ``embeddings:PATH`` to a file of features (`read_embeddings`).
    checkpoint, model_args
        As in `backbones.load`.
    root : path, optional
        Folder of all stores; ``features`` under `paths.runs_root` by default.
    seed : int
        Of the splits that are not official.
    device : str
        Where features are computed, and where the returned tensors lie.
    layer : str
        ``"penultimate"`` or the name of a module.
    image_size : int, optional
        Pixels a side, instead of the task's own.
    progress : bool
        Show a bar while extracting.

    Returns
    -------
    TaskFeatures

    Raises
    ------
    InputError
        If the model, the task or the file cannot be had, or does not hold what it must.
    """
    device = torch.device(device)
    if task.startswith(PREFIX):
        path = Path(task.removeprefix(PREFIX)).expanduser()
        classes, splits, key = read_embeddings(path, seed=seed)
        keys = dict.fromkeys(splits, key)
    else:
        dataset = datasets.load(task, seed=seed, image_size=image_size)
        request = Request.of(model, checkpoint, image_size=dataset.input_size, model_args=model_args)
        stores = finished_stores(request, dataset, layers=(layer,), root=root, device=device, progress=progress)
        classes, keys = dataset.classes, {split: store.key for split, store in stores.items()}
        splits = {split: (store.read(layer).float(), store.y) for split, store in stores.items()}
    splits = {split: (X.to(device), y.to(device)) for split, (X, y) in splits.items()}
    return TaskFeatures(model, task, classes, keys, splits)
