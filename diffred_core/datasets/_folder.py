"""Any folder of images: one folder a class, with or without train, validation and test above them."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from diffred_core import files
from diffred_core.datasets._dataset import Dataset, digests_of_files
from diffred_core.datasets._splits import from_official, part_indices
from diffred_core.errors import InputError, near_names

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})
PART_NAMES = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}


def load_folder(name: str, *, seed: int) -> Dataset:
    """Return the images under the folder of ``folder:PATH``.

    The class of an image is the path of its folder below the root (or below ``train``, ``val``, ``test``), so
    nested classes such as ``alphabet/character`` work too. Hidden files and files of other types are passed over.
    """
    root = Path(name.removeprefix("folder:")).expanduser()
    if not root.is_dir():
        raise InputError(f"expected a folder of images, but {str(root)!r} is none; pass folder:PATH to one")
    folders = _part_folders(root)
    images = {part: _images(folder) for part, folder in folders.items()}
    class_names = {part: [_class_name(image, folders[part]) for image in images[part]] for part in folders}
    classes = _in_order(set(class_names["train"]))
    _check_known(class_names, classes)
    index = {c: i for i, c in enumerate(classes)}
    y = torch.tensor([index[c] for part in folders for c in class_names[part]])
    every = [image for part in folders for image in images[part]]
    indices = part_indices({part: len(paths) for part, paths in images.items()})
    splits, rule = from_official(y, indices, seed=seed, classes=classes)
    return Dataset(
        name=files.task_label(name),
        classes=classes,
        y=y,
        sample_ids=tuple(image.relative_to(root).as_posix() for image in every),
        splits=splits,
        input_size=default_input_size(_size(every[0])),
        licence="as the owner of the folder says",
        source=f"image folder {root.resolve().name}",
        split_rule=rule,
        image_digests=digests_of_files(every),
        read=lambda i: Image.open(every[i]),
    )


def default_input_size(size: tuple[int, int]) -> int:
    """Return 96 for images of at most 64 pixels a side, whose detail it shows in full, else the usual 224."""
    return 96 if max(size) <= 64 else 224


def _size(image: Path) -> tuple[int, int]:
    try:
        with Image.open(image) as opened:
            return opened.size
    except OSError:
        return (0, 0)  # reading it for its features says by name what is wrong with it


def _part_folders(root: Path) -> dict[str, Path]:
    folders = {PART_NAMES[path.name]: path for path in sorted(root.iterdir()) if path.name in PART_NAMES}
    return folders if "train" in folders else {"train": root}


def _images(folder: Path) -> list[Path]:
    visible = [p for p in folder.rglob("*") if not any(x.startswith(".") for x in p.relative_to(folder).parts)]
    images = sorted(path for path in visible if path.suffix.lower() in SUFFIXES)
    if not images:
        raise InputError(
            f"expected images ({', '.join(sorted(SUFFIXES))}) under {str(folder)!r}, found none; put one folder a "
            "class there"
        )
    holding = {parent for image in images for parent in image.parents}
    if empty := sorted(path for path in visible if path.is_dir() and path not in holding):
        raise InputError(f"expected images in every class folder, found none in {str(empty[0])!r}; fill or remove it")
    return images


def _class_name(image: Path, folder: Path) -> str:
    name = image.parent.relative_to(folder).as_posix()
    if name == ".":
        raise InputError(
            f"expected one folder a class below {str(folder)!r}, but the image {image.name!r} lies beside them; "
            "move it into the folder of its class"
        )
    return name


def _in_order(names: set[str]) -> tuple[str, ...]:
    """Return class names sorted, by their value where all are numbers: ImageNetV2 names its classes 0, 1, ..., 999."""
    return tuple(sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names))


def _check_known(class_names: dict[str, list[str]], classes: tuple[str, ...]) -> None:
    for part, names in class_names.items():
        if unknown := sorted(set(names) - set(classes)):
            raise InputError(
                f"expected every class of {part} in train, but {unknown[0]!r} is not{near_names(unknown[0], classes)}"
                "; use the same folder names in every part"
            )
