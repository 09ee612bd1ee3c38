"""The 64 networks of Harun et al. (2024) in the order of the blocks of their table, and what each block must hold.

The published table names neither networks nor OOD sets. Its rows come in 64 blocks of eight with constant
predictors, so the order of the blocks below is an inference; that the predictors of every block are those of its
network is checked when the table is read, and that the values are is seen in the averages of tables 5 to 7 and 12.
"""

from __future__ import annotations

from itertools import product

import pandas as pd

from diffred_core.chapters.tunnel_paper.names import FULL

# Family and which of its two sizes; side of the first kernel or patch; layers; side after the stem, of that of the
# image, as coded in the table (1 for the ViTs); millions of parameters.
_ATTRIBUTES = ("family", "size", "stem", "depth", "spatial_reduction", "parameters")
ARCHITECTURES: dict[str, tuple[str, str, int, int, float, float]] = {
    "VGGm-11": ("VGGm", "small", 3, 11, 0.5, 9.46),
    "VGGm-17": ("VGGm", "large", 3, 17, 0.5, 20.08),
    "VGGm†-11": ("VGGm", "small", 3, 11, 1.0, 9.46),  # without the first two poolings
    "VGGm†-17": ("VGGm", "large", 3, 17, 1.0, 20.08),
    "ResNet-18": ("ResNet", "small", 7, 18, 0.25, 11.22),
    "ResNet-34": ("ResNet", "large", 7, 34, 0.25, 21.33),
    "ViT-T": ("ViT", "small", 8, 12, 1.0, 5.61),
    "ViT-T+": ("ViT", "large", 8, 18, 1.0, 8.39),
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
        Columns block, name (as the paper names a network in tables 5 to 7: ``VGGm-17, augmentation, 32``, with the ID
        set where it is not all of ImageNet-100), network, family, size, id_set, augmentation (bool), resolution; and
        the predictors of the table, by their definitions: `names.PREDICTORS`.
    """
    return pd.DataFrame([_row(block, *place) for block, place in enumerate(_order())])


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
    images, classes = TRAINING[id_set]
    row = dict(zip(_ATTRIBUTES, ARCHITECTURES[network], strict=True))
    name = f"{network}, {'augmentation' if augmentation else 'no augmentation'}, {resolution}"
    return row | {
        "block": block,
        "name": name if id_set == FULL else f"{name}, {id_set}",
        "network": network,
        "id_set": id_set,
        "augmentation": augmentation,
        "architecture": "Transformer" if row["family"] == "ViT" else "CNN",
        "augmentations": 2 * augmentation,
        "resolution": resolution,
        "classes": classes,
        "over_parameterisation": 1e6 * row.pop("parameters") / images,
    }
