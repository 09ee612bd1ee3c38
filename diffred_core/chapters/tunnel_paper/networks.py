"""The 64 networks of Harun et al. (2024) in the order of the blocks of their table, and what each block must hold.

The published table names neither networks nor OOD sets. Its rows come in 64 blocks of eight with constant
predictors, so the order of the blocks below is an inference; that the predictors of every block are those of its
network is checked when the table is read, and that the values are is seen in the averages of tables 5 to 7 and 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import pandas as pd

N_OOD = 8
# Order of tables 5 to 7, number of classes. The sixth is CIFAR-10 for networks trained on CIFAR-100.
OOD_CLASSES: dict[str, int] = {
    "NINCO": 64,
    "ImageNet-R": 200,
    "CUB-200": 200,
    "Aircraft": 100,
    "Flowers": 102,
    "CIFAR": 100,
    "Pets": 37,
    "STL-10": 10,
}
OOD_SETS: tuple[str, ...] = tuple(OOD_CLASSES)
METRICS: tuple[str, ...] = ("retained", "correlation", "alignment")
PREDICTORS: tuple[str, ...] = (
    *("stem", "spatial_reduction", "architecture", "augmentations"),
    *("resolution", "classes", "over_parameterisation", "depth"),
)
FULL = "ImageNet-100"


@dataclass(frozen=True)
class Architecture:
    """What the predictors of a network follow from.

    Attributes
    ----------
    family, size : str
        ``VGGm``, ``ResNet`` or ``ViT``; the smaller or larger one of it.
    stem, depth : int
        Side of the first kernel or patch; layers.
    spatial_reduction : float
        Side after the stem, of that of the image, as coded in the table (1 for the ViTs).
    parameters : float
        Millions.
    """

    family: str
    size: str
    stem: int
    depth: int
    spatial_reduction: float
    parameters: float


ARCHITECTURES: dict[str, Architecture] = {
    "VGGm-11": Architecture("VGGm", "small", 3, 11, 0.5, 9.46),
    "VGGm-17": Architecture("VGGm", "large", 3, 17, 0.5, 20.08),
    "VGGm†-11": Architecture("VGGm", "small", 3, 11, 1.0, 9.46),  # without the first two poolings
    "VGGm†-17": Architecture("VGGm", "large", 3, 17, 1.0, 20.08),
    "ResNet-18": Architecture("ResNet", "small", 7, 18, 0.25, 11.22),
    "ResNet-34": Architecture("ResNet", "large", 7, 34, 0.25, 21.33),
    "ViT-T": Architecture("ViT", "small", 8, 12, 1.0, 5.61),
    "ViT-T+": Architecture("ViT", "large", 8, 18, 1.0, 8.39),
}
# Training images and classes. A subset is named by its classes and images a class.
TRAINING: dict[str, tuple[int, int]] = {
    FULL: (126_689, 100),
    "CIFAR-100": (50_000, 100),
    "CIFAR-10": (50_000, 10),
    **{
        f"{FULL} {c}x{n}": (c * n, c)
        for c, n in ((100, 100), (100, 200), (100, 500), (100, 700), (10, 1000), (50, 200))
    },
}
_NO_YES = (False, True)


def networks() -> pd.DataFrame:
    """Return the 64 networks, one row a block of the table.

    Returns
    -------
    DataFrame
        Columns block, network, family, size, id_set, augmentation (bool), resolution; and the predictors of the
        table, by their definitions: `PREDICTORS`.
    """
    rows = [_row(block, *place) for block, place in enumerate(_order())]
    return pd.DataFrame(rows)


def _order() -> list[tuple[str, str, bool, int]]:
    """Return network, ID set, augmentation and resolution of every block."""
    plain = ("VGGm-11", "VGGm-17", "ResNet-18", "ResNet-34", "ViT-T", "ViT-T+")
    no_pooling = ("VGGm†-11", "VGGm†-17")
    cifar = product(("CIFAR-100",), ("VGGm-11", "VGGm-17", *no_pooling), _NO_YES)
    cifar10 = product(("CIFAR-10",), ("VGGm-11", "VGGm-17"), _NO_YES)
    subsets = product((name for name in TRAINING if name.startswith(f"{FULL} ")), ("VGGm-11",), _NO_YES)
    return [
        *((n, FULL, a, r) for n, a, r in product(plain, _NO_YES, (32, 224))),
        *((n, FULL, a, 32) for n, a in product(no_pooling, _NO_YES)),
        *((n, task, a, 32) for task, n, a in (*cifar, *cifar10)),
        # Here the ViT stands before the ResNet, unlike above.
        *((n, FULL, a, r) for n, r, a in product(("VGGm-17", "ViT-T+", "ResNet-18"), (64, 128), _NO_YES)),
        *((n, task, a, 32) for task, n, a in subsets),
    ]


def _row(block: int, network: str, id_set: str, augmentation: bool, resolution: int) -> dict[str, object]:
    made, (images, classes) = ARCHITECTURES[network], TRAINING[id_set]
    return {
        "block": block,
        "network": network,
        "family": made.family,
        "size": made.size,
        "id_set": id_set,
        "augmentation": augmentation,
        "stem": made.stem,
        "spatial_reduction": made.spatial_reduction,
        "architecture": "Transformer" if made.family == "ViT" else "CNN",
        "augmentations": 2 * augmentation,
        "resolution": resolution,
        "classes": classes,
        "over_parameterisation": 1e6 * made.parameters / images,
        "depth": made.depth,
    }
