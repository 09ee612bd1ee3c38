"""A task as one tensor of pixels: small images of few thousand samples, read once and used by many networks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from diffred_core import datasets
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one task in memory.

    Attributes
    ----------
    task : str
        Name, for tables.
    classes : tuple of str
        Class names.
    pixels : Tensor (n_samples, 3, size, size) of uint8
    y : LongTensor (n_samples,)
        Class indices.
    splits : dict of str to LongTensor
        Sample indices of ``train``, ``validation`` and ``test``.
    """

    task: str
    classes: tuple[str, ...]
    pixels: Tensor
    y: Tensor
    splits: dict[str, Tensor]

    @classmethod
    def of(cls, dataset: Dataset, *, size: int, most: Mapping[str, int] | None = None, seed: int = 0) -> Images:
        """Read the images of `dataset`, the central square of each scaled to `size` pixels a side.

        Parameters
        ----------
        dataset : Dataset
        size : int
            At least 8.
        most : mapping of str to int, optional
            How many images of a split to read at most, drawn by `seed` with the classes in their shares; all of a split
            that it does not name.
        seed : int

        Raises
        ------
        InputError
            If `size` is below 8, fewer images than classes are asked for, or an image cannot be decoded.
        """
        if size < 8:
            raise InputError(f"expected size of at least 8 pixels a side, got {size}; 24 and 32 are usual")
        splits = dict(dataset.splits)
        for name, n in (most or {}).items():
            splits[name] = _some(splits[name], dataset.y, n, of=f"{name} split of {dataset.name!r}", seed=seed)
        rows = torch.cat(list(splits.values())).sort().values if most else torch.arange(dataset.n_samples)
        pixels = torch.stack([to_pixels(dataset.image(i), size) for i in rows.tolist()])
        places = {name: torch.searchsorted(rows, indices) for name, indices in splits.items()}
        return cls(dataset.name, dataset.classes, pixels, dataset.y[rows], places)

    def at_most(self, most: Mapping[str, int], *, seed: int = 0) -> Images:
        """Return the task with at most so many images of the splits named, chosen as by `of`, and no others in memory.

        Raises
        ------
        InputError
            If fewer images than classes are asked for.
        """
        fewer = {
            name: _some(self.splits[name], self.y, n, of=f"{name} split of {self.task!r}", seed=seed)
            for name, n in most.items()
        }
        splits = self.splits | fewer
        rows = torch.cat(list(splits.values())).sort().values
        places = {name: torch.searchsorted(rows, indices) for name, indices in splits.items()}
        return replace(self, pixels=self.pixels[rows], y=self.y[rows], splits=places)

    @property
    def size(self) -> int:
        """Pixels a side."""
        return self.pixels.shape[-1]

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        """Return pixels and labels of one split.

        Raises
        ------
        InputError
            If there is no such split.
        """
        if name not in self.splits:
            raise InputError(f"expected split to be one of {', '.join(self.splits)}, got {name!r}; name one of them")
        return self.pixels[self.splits[name]], self.y[self.splits[name]]

    def digest(self, name: str) -> str:
        """Return the SHA-256 of pixels and labels of one split, in their order."""
        total = hashlib.sha256()
        for tensor in self.split(name):
            total.update(f"{tuple(tensor.shape)}\0".encode())
            total.update(tensor.contiguous().numpy().data)
        return total.hexdigest()

    def of_classes(self, classes: Sequence[int]) -> Images:
        """Return the task of telling only these classes apart, numbered anew from 0 in the order given.

        Its name has the classes behind it: ``mnist5k[0-4]``.

        Raises
        ------
        InputError
            If fewer than two classes are named, one of them twice, or one that is not there.
        """
        chosen = list(classes)
        if len(chosen) < 2 or len(set(chosen)) < len(chosen) or not set(chosen) <= set(range(self.n_classes)):
            raise InputError(
                f"expected at least 2 different classes within 0..{self.n_classes - 1} of {self.task!r}, got {chosen}; "
                "name each once"
            )
        number = torch.full((self.n_classes,), -1)
        number[chosen] = torch.arange(len(chosen))
        kept = (number[self.y] >= 0).nonzero().flatten()
        place = torch.full((len(self.y),), -1)
        place[kept] = torch.arange(len(kept))
        splits = {name: place[rows][place[rows] >= 0] for name, rows in self.splits.items()}
        named = tuple(self.classes[c] for c in chosen)
        return Images(f"{self.task}[{_range(chosen)}]", named, self.pixels[kept], number[self.y[kept]], splits)

    def hold_out(self, n_first: int | None) -> tuple[Images, list[Images]]:
        """Return the task of the first `n_first` classes and, in a list, that of the others; None takes all classes.

        The held-out classes are data of another kind from the same source: the original way to ask how a network
        serves classes that it was not trained on (Masarczyk et al. 2023).

        Raises
        ------
        InputError
            If there would be fewer than two classes on either side.
        """
        if n_first is None:
            return self, []
        if not 2 <= n_first <= self.n_classes - 2:
            raise InputError(
                f"expected n_first from 2 to {self.n_classes - 2}, as {self.task!r} has {self.n_classes} classes, got "
                f"{n_first}; pass None to train on all"
            )
        return self.of_classes(range(n_first)), [self.of_classes(range(n_first, self.n_classes))]


def read_tasks(
    task: str,
    ood_tasks: Sequence[str],
    *,
    task_name: str | None = None,
    id_classes: int | None = None,
    image_size: int = 24,
    split_seed: int = 0,
    n_train: int | None = None,
    n_test: int | None = None,
) -> tuple[Images, list[Images]]:
    """Return the task that networks are trained on and, in a list, those that they are probed on besides.

    Parameters
    ----------
    task, ood_tasks : str, sequence of str
        As in `datasets.load`.
    task_name : str, optional
        What `task` is called in tables.
    id_classes : int, optional
        Train on the first so many classes; the others are the first OOD task (`Images.hold_out`).
    image_size, split_seed : int
        Pixels a side; seed of the splits that are not official, and of the choice of images.
    n_train, n_test : int, optional
        Training images, and validation and test images each, of every task at most, with classes in their shares.

    Raises
    ------
    InputError
        As `datasets.load`, `Images.of` and `Images.hold_out`.
    """
    limits = {"train": n_train, "validation": n_test, "test": n_test}
    most = {split: n for split, n in limits.items() if n is not None}
    images, *others = (
        Images.of(datasets.load(name, seed=split_seed), size=image_size, most=most, seed=split_seed)
        for name in (task, *ood_tasks)
    )
    images = images if task_name is None else replace(images, task=task_name)
    trained, held_out = images.hold_out(id_classes)
    return trained, held_out + others


def check_one_size(images: Images, others: Sequence[Images]) -> None:
    """Refuse tasks whose images are not of the size of `images`.

    Raises
    ------
    InputError
        With the first task that differs.
    """
    for other in others:
        if other.size != images.size:
            raise InputError(
                f"expected images of {images.size} pixels in {other.task!r} as in {images.task!r}, got {other.size}; "
                "read all tasks with one size"
            )


def to_pixels(image: Image.Image, size: int) -> Tensor:
    """Return the central square of an RGB image as uint8 (3, size, size)."""
    fitted = image if image.size == (size, size) else ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1)


def _some(indices: Tensor, y: Tensor, n: int, *, of: str, seed: int) -> Tensor:
    """Return at most `n` sample indices of a split, every class by its share, in the order of the split."""
    if n >= len(indices):
        return indices
    n_classes = len(y[indices].unique())
    if n < n_classes:
        raise InputError(f"expected at least {n_classes} images of the {of}, one a class, got {n}; ask for more")
    shuffled = indices[torch.randperm(len(indices), generator=torch.Generator().manual_seed(seed))]
    y = y[shuffled]
    rank = torch.empty(len(y), dtype=torch.float64)  # of an image among those of its class, as a share of them
    for label in y.unique():
        rows = (y == label).nonzero().flatten()
        rank[rows] = (torch.arange(len(rows), dtype=torch.float64) + 0.5) / len(rows)
    return shuffled[rank.argsort(stable=True)[:n]].sort().values


def _range(classes: list[int]) -> str:
    """Return ``0-4`` for classes in a row, else ``0,2,5``."""
    in_a_row = classes == list(range(classes[0], classes[0] + len(classes)))
    return f"{classes[0]}-{classes[-1]}" if in_a_row else ",".join(map(str, classes))
