"""Every classification set of torchvision, with its official splits where it has some."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from diffred_core import files
from diffred_core.datasets._dataset import Dataset, digests_of, digests_of_files
from diffred_core.datasets._folder import default_input_size
from diffred_core.datasets._splits import from_official, part_indices
from diffred_core.errors import InputError, near_names

_TRAIN_FLAG = {"train": {"train": True}, "test": {"train": False}}
_TWO = {"train": {"split": "train"}, "test": {"split": "test"}}
_THREE = {"train": {"split": "train"}, "validation": {"split": "val"}, "test": {"split": "test"}}
_VALIDATED = {"train": {"split": "train"}, "validation": {"split": "val"}}
_WHOLE: dict[str, dict[str, Any]] = {"train": {}}
_PLACES = {"train": "train-standard", "validation": "val"}

# The arguments that select each part. torchvision has no common word for it.
PARTS: dict[str, dict[str, dict[str, Any]]] = {
    **dict.fromkeys(("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "KMNIST", "QMNIST", "USPS"), _TRAIN_FLAG),
    "EMNIST": {part: {"split": "balanced", **flag} for part, flag in _TRAIN_FLAG.items()},
    **dict.fromkeys(("SVHN", "STL10", "Food101", "GTSRB", "StanfordCars"), _TWO),
    **dict.fromkeys(("DTD", "FGVCAircraft", "Flowers102", "PCAM", "RenderedSST2"), _THREE),
    "Country211": {**_THREE, "validation": {"split": "valid"}},
    "OxfordIIITPet": {"train": {"split": "trainval"}, "test": {"split": "test"}},
    **dict.fromkeys(("ImageNet", "Imagenette"), _VALIDATED),
    # images of 256 pixels, as a network of 224 reads them: a quarter of the large ones
    "Places365": {part: {"split": split, "small": True} for part, split in _PLACES.items()},
    **dict.fromkeys(("Caltech101", "Caltech256", "EuroSAT", "SEMEION", "SUN397"), _WHOLE),
}

# Sets that torchvision reads and cannot download, with the files that it reads.
BY_HAND = {
    "ImageNet": "ILSVRC2012_devkit_t12.tar.gz, ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar of image-net.org",
    "StanfordCars": "stanford_cars/devkit, cars_train, cars_test and cars_test_annos_withlabels.mat of its authors",
}
SILENCE_S = 20.0  # of a server, after which a download is given up


def load_torchvision(name: str, *, seed: int) -> Dataset:
    """Return the set ``torchvision:NAME``, downloading it once."""
    set_name = name.removeprefix("torchvision:")
    if set_name not in PARTS:
        raise InputError(
            f"unknown torchvision set {set_name!r}{near_names(set_name, PARTS)} (known: {', '.join(sorted(PARTS))})"
        )
    if set_name == "PCAM" and find_spec("h5py") is None:
        raise InputError("expected the package h5py, which torchvision reads PCAM with, but there is none; install it")
    parts = {part: _open(set_name, options) for part, options in PARTS[set_name].items()}
    sizes = {name: len(part) for name, part in parts.items()}
    starts = np.cumsum([0, *sizes.values()])
    y = torch.cat([_labels(part) for part in parts.values()])
    classes = _class_names(parts["train"], y)
    splits, rule = from_official(y, part_indices(sizes), seed=seed, classes=classes)
    opened = list(parts.values())

    def read(i: int):
        part = int(np.searchsorted(starts, i, side="right")) - 1
        return opened[part][i - starts[part]][0]

    with read(0) as first:
        input_size = default_input_size(first.size)
    return Dataset(
        name=name,
        classes=classes,
        y=y,
        sample_ids=tuple(f"{part}/{i}" for part, size in sizes.items() for i in range(size)),
        splits=splits,
        input_size=input_size,
        licence="as its authors say",
        source=f"torchvision.datasets.{set_name}",
        split_rule=rule,
        image_digests=_digests(opened, set_name),
        read=read,
    )


def _open(set_name: str, options: dict[str, Any]) -> Any:
    """Return the part that is there, or download it."""
    from torchvision import datasets

    make = getattr(datasets, set_name)
    root = files.data_root() / set_name
    root.mkdir(parents=True, exist_ok=True)
    if set_name in BY_HAND or "download" not in inspect.signature(make).parameters:
        return _attempt(make, root, options, set_name)
    try:
        return _in_order(make(root, **options, download=False))
    except Exception:  # a loader says in its own way that its files are not there, or not whole
        return _attempt(make, root, {**options, "download": True}, set_name)


def _attempt(make: Any, root: Path, options: dict[str, Any], set_name: str) -> Any:
    try:
        with _impatient():
            return _in_order(make(root, **options))
    except Exception as error:  # RuntimeError of torchvision, OSError of urllib, tarfile's, zipfile's, bz2's, scipy's
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        if set_name in BY_HAND:
            wanted, remedy = "", f"put there {BY_HAND[set_name]}, which torchvision cannot download"
        else:
            wanted, remedy = " or from the network", "connect once, or put its files there"
        raise InputError(
            f"expected the torchvision set {set_name} in {str(root)!r}{wanted}, got {'neither' if wanted else 'none'} "
            f"({reason}); {remedy}"
        ) from error


@contextmanager
def _impatient() -> Iterator[None]:
    """Give up on a server that does not answer for `SILENCE_S` seconds; torchvision itself would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _in_order(part: Any) -> Any:
    """Return a set with its images in the order of their paths where torchvision leaves that to the file system.

    Raises
    ------
    FileNotFoundError
        If the first image is not there: torchvision opens some sets by their lists alone.
    """
    if type(part).__name__ == "SUN397":
        part._image_files, part._labels = zip(*sorted(zip(part._image_files, part._labels, strict=True)), strict=True)
    if (images := _files(part)) and not images[0].is_file():
        raise FileNotFoundError(f"there is no {images[0]}")
    return part


def _labels(part: Any) -> Tensor:
    """Return the labels of a torchvision set without decoding its images, where it keeps them at hand."""
    if (labels := _attribute(part, ("targets", "labels", "_labels", "y"), length=len(part))) is not None:
        y = torch.as_tensor(np.asarray(labels)).long()
        return y if y.ndim == 1 else y[:, 0]  # of QMNIST, the class and what else is known of the writer
    if (samples := getattr(part, "_samples", None)) is not None:
        return torch.tensor([label for _, label in samples])
    return torch.tensor([int(part[i][1]) for i in range(len(part))])


def _attribute(part: Any, names: Sequence[str], *, length: int) -> Any:
    """Return the first attribute of these names that has `length` entries, else None."""
    values = (getattr(part, name, None) for name in names)
    return next((value for value in values if value is not None and len(value) == length), None)


def _class_names(part: Any, y: Tensor) -> tuple[str, ...]:
    n_classes = int(y.max()) + 1
    if (names := _attribute(part, ("classes", "categories"), length=n_classes)) is None:
        return tuple(str(c) for c in range(n_classes))
    # ImageNet gives each class a tuple of synonyms.
    return tuple(c if isinstance(c, str) else ", ".join(c) for c in names)


def _digests(parts: list[Any], set_name: str) -> tuple[str, ...]:
    if paths := [path for part in parts for path in _files(part)]:
        try:
            return digests_of_files(paths)
        except OSError as error:
            raise InputError(
                f"expected every image of the torchvision set {set_name}, but {error.filename!r} cannot be read "
                f"({error.strerror}); remove the folder {str(files.data_root() / set_name)!r} and load the set again"
            ) from error
    return digests_of(pixels for part in parts for pixels in _pixels(part))


def _files(part: Any) -> list[Path]:
    """Return the image files of a set that keeps one a sample, else none."""
    entries = _attribute(part, ("_image_files", "_images", "_samples", "samples", "imgs"), length=len(part))
    return [] if entries is None else [Path(entry[0] if isinstance(entry, tuple) else entry) for entry in entries]


def _pixels(part: Any):
    if (data := _attribute(part, ("data",), length=len(part))) is not None:
        return (np.ascontiguousarray(row).data.cast("B") for row in np.asarray(data))
    return (_decoded(part[i][0]) for i in range(len(part)))


def _decoded(image: Image.Image) -> bytes:
    with image:
        return image.convert("RGB").tobytes()
