"""A task: images read one at a time, labels, names and splits, and digests of its content, wherever it is stored."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from diffred_core import files
from diffred_core.errors import InputError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """Images of one classification task, with the facts that a reader of its numbers needs.

    Attributes
    ----------
    name : str
        The task as tables and pages call it: `files.task_label`.
    classes : tuple of str
        Readable class names; label `c` means ``classes[c]``.
    y : LongTensor of shape (n_samples,)
        Class indices.
    sample_ids : tuple of str
        One name a sample, by which errors speak of it.
    splits : dict of str to LongTensor
        Sample indices of ``train``, ``validation`` and ``test``; no sample is in two of them.
    input_size : int
        Pixels a side at which a backbone shall see the images, unless told otherwise.
    licence, source, split_rule : str
        Terms of use, origin, and how the splits came to be, each in words.
    image_digests : tuple of str
        SHA-256 of the content of every image: by it features are shared between tasks that hold the same image.
    read : callable
        Opens the image of one index; `image` wraps it with an error that names the sample.
    """

    name: str
    classes: tuple[str, ...]
    y: Tensor
    sample_ids: tuple[str, ...]
    splits: dict[str, Tensor]
    input_size: int
    licence: str
    source: str
    split_rule: str
    image_digests: tuple[str, ...] = field(repr=False)
    read: Callable[[int], Image.Image] = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_labels(self.name, self.y, len(self.sample_ids), self.classes)
        if len(self.image_digests) != len(self.sample_ids):
            raise InputError(
                f"expected one digest for each of the {len(self.sample_ids)} images of task {self.name!r}, got "
                f"{len(self.image_digests)}; pass the SHA-256 of every image"
            )
        _check_splits(self.name, self.splits, len(self.sample_ids))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of images, labels and class names; does not depend on where they lie."""
        total = hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in self.image_digests))
        total.update(json.dumps([self.y.tolist(), list(self.classes)]).encode())
        return total.hexdigest()

    @property
    def n_samples(self) -> int:
        """Number of images over all splits."""
        return len(self.sample_ids)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def image(self, i: int, *, grey: bool = False) -> Image.Image:
        """Return sample `i` as an RGB image; with `grey`, one of one channel stays so (``"L"``).

        Raises
        ------
        InputError
            If it cannot be decoded; the sentence names the sample.
        """
        try:
            with self.read(i) as opened:
                return opened.convert("L" if grey and opened.mode == "L" else "RGB")
        # Pillow says a damaged PNG with SyntaxError and a damaged header with ValueError.
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(
                f"expected a readable image, but {self.sample_ids[i]!r} of task {self.name!r} cannot be decoded "
                f"({error}); replace or remove that file"
            ) from error


def _check_labels(name: str, y: Tensor, n_samples: int, classes: tuple[str, ...]) -> None:
    if y.shape != (n_samples,):
        raise InputError(
            f"expected one label for each of the {n_samples} images of task {name!r}, got y of shape "
            f"{tuple(y.shape)}; pass labels and images of the same samples"
        )
    if len(classes) < 2 or not set(y.tolist()) <= set(range(len(classes))):
        raise InputError(
            f"expected at least 2 classes and labels within 0..{len(classes) - 1} in task {name!r}, got "
            f"{len(classes)} classes and labels {sorted(set(y.tolist()))[:10]}; give every class its folder or name"
        )


def _check_splits(name: str, splits: dict[str, Tensor], n_samples: int) -> None:
    if tuple(splits) != SPLITS:
        raise InputError(f"expected the splits {SPLITS} in task {name!r}, got {tuple(splits)}; name them so")
    together = torch.cat([splits[split] for split in SPLITS])
    outside = together[(together < 0) | (together >= n_samples)]
    if len(outside):
        raise InputError(
            f"expected split indices within 0..{n_samples - 1} in task {name!r}, got {int(outside[0])}; "
            "index the images from 0"
        )
    if len(together.unique()) != len(together):
        raise InputError(f"expected disjoint splits in task {name!r}, got a shared sample; draw them apart")


def digests_of(images: Iterable[bytes | memoryview]) -> tuple[str, ...]:
    """Return the SHA-256 of every image's bytes, in order."""
    return tuple(hashlib.sha256(image).hexdigest() for image in images)


def digests_of_files(images: Sequence[Path]) -> tuple[str, ...]:
    """Return `digests_of` of the files' bytes, read once and again only after a file has changed.

    The remembered digests lie under ``runs/fingerprints`` by the path, size and time of every file.
    """
    return tuple(files.remembered(_memory(images), lambda: digests_of(path.read_bytes() for path in images)))


def _memory(images: Sequence[Path]) -> Path:
    identities = [(str(path), stat.st_size, stat.st_mtime_ns) for path in images for stat in [os.stat(path)]]
    key = hashlib.sha256(json.dumps(["digests", identities]).encode()).hexdigest()
    return files.runs_root() / "fingerprints" / f"{key}.json"
