"""Which networks are compared: every comparison of the paper as two selections of rows and what pairs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from diffred_core.chapters.tunnel_paper.names import CROSSED, IMAGENET, MEASURES, RESOLUTIONS
from diffred_core.errors import InputError
from diffred_core.results import where

RowFilter = Mapping[str, object]  # column to value or tuple of values, as `results.where` takes them
_EVERY_ARCHITECTURE = {"id_set": IMAGENET, "resolution": (32, 224)}  # every architecture was trained at these two
_VGG, _VGG_NO_POOLING, _RESNET = ("VGGm-11", "VGGm-17"), ("VGGm†-11", "VGGm†-17"), ("ResNet-18", "ResNet-34")


@dataclass(frozen=True)
class Comparison:
    """Two selections of networks that differ in one factor, as far as the paper has such networks."""

    name: str  # key in tables
    title: str  # for readers
    before: RowFilter  # rows of the table on either side
    after: RowFilter
    match: tuple[str, ...]  # columns that two networks of a pair share; with the OOD set they name one row of each side


def _resolution(
    low: int, high: int, networks: tuple[str, ...] = CROSSED, *, key: str = "", words: str = ""
) -> Comparison:
    sides = ({"network": networks, "id_set": IMAGENET, "resolution": r} for r in (low, high))
    name, title = f"resolution_{low}_{high}{key}", f"resolution {low} → {high}{words}"
    return Comparison(name, title, *sides, ("network", "augmentation"))


def _networks(name: str, title: str, before: str | tuple, after: str | tuple, *match: str) -> Comparison:
    sides = ({"network": networks, **_EVERY_ARCHITECTURE} for networks in (before, after))
    return Comparison(name, title, *sides, (*match, "resolution", "augmentation"))


RESOLUTION_STEPS: tuple[Comparison, ...] = tuple(_resolution(*pair) for pair in combinations(RESOLUTIONS, 2))
COMPARISONS: tuple[Comparison, ...] = (
    Comparison(
        "augmentation",
        "augmentation: none → crop and flip",
        {"augmentation": False},
        {"augmentation": True},
        ("network", "id_set", "resolution"),
    ),
    Comparison(
        "classes",
        "ID classes: CIFAR-10 → CIFAR-100 (VGGm-11)",
        {"network": "VGGm-11", "id_set": "CIFAR-10"},
        {"network": "VGGm-11", "id_set": "CIFAR-100"},
        ("augmentation",),
    ),
    Comparison(
        "spatial_reduction",
        "spatial reduction 0.5 → 1 (VGGm → VGGm†)",
        {"network": _VGG, "id_set": (IMAGENET, "CIFAR-100"), "resolution": 32},
        {"network": _VGG_NO_POOLING},
        ("depth", "id_set", "augmentation"),
    ),
    _networks("stem", "stem 3 → 7 (VGGm-11, -17 → ResNet-18, -34)", _VGG, _RESNET, "size"),
    _networks(
        "depth", "depth 11 → 17 (VGGm, VGGm†)", ("VGGm-11", "VGGm†-11"), ("VGGm-17", "VGGm†-17"), "spatial_reduction"
    ),
    _networks(
        "over_parameterisation", "over-parameterisation 74.7 → 168.4 (VGGm-11 → ResNet-34)", "VGGm-11", "ResNet-34"
    ),
    *RESOLUTION_STEPS,
)
CNNS = _resolution(32, 224, ("VGGm-17", "ResNet-18"), key="_cnns", words=", CNNs alone")
VIT = _resolution(32, 224, ("ViT-T+",), key="_vit", words=", ViT alone")
# Not comparisons of the paper: other readings of its sentences, and parts of its selections.
VARIANTS: tuple[Comparison, ...] = (
    Comparison(
        "spatial_reduction_imagenet",
        "spatial reduction 0.5 → 1, ImageNet-100 alone",
        {"network": _VGG, "id_set": IMAGENET, "resolution": 32},
        {"network": _VGG_NO_POOLING, "id_set": IMAGENET},
        ("depth", "augmentation"),
    ),
    _networks("stem_named", "stem 3 → 7, VGGm-17 → ResNet-18 alone", "VGGm-17", "ResNet-18"),
    CNNS,
    VIT,
)
# Averages that the paper prints (table 12 and the text): name and selection.
GROUPS: dict[str, RowFilter] = {
    "VGGm": {"network": _VGG, "id_set": IMAGENET},
    "ResNet": {"network": _RESNET, "id_set": IMAGENET},
    "ViT": {"network": ("ViT-T", "ViT-T+"), "id_set": IMAGENET},
    "stem 8": {"family": "ViT", **_EVERY_ARCHITECTURE},
    "depth 12": {"network": "ViT-T", **_EVERY_ARCHITECTURE},
    "depth 18, ResNet": {"network": "ResNet-18", **_EVERY_ARCHITECTURE},
    "depth 18, ViT": {"network": "ViT-T+", **_EVERY_ARCHITECTURE},
    "depth 34": {"network": "ResNet-34", **_EVERY_ARCHITECTURE},
    "over-parameterisation 44.28": {"network": "ViT-T", **_EVERY_ARCHITECTURE},
    "over-parameterisation 66.23": {"network": "ViT-T+", **_EVERY_ARCHITECTURE},
    "over-parameterisation 74.67": {"network": "VGGm-11", **_EVERY_ARCHITECTURE},
    "over-parameterisation 88.56": {"network": "ResNet-18", **_EVERY_ARCHITECTURE},
    "over-parameterisation 158.5": {"network": "VGGm-17", **_EVERY_ARCHITECTURE},
    "over-parameterisation 168.37": {"network": "ResNet-34", **_EVERY_ARCHITECTURE},
    "ID ImageNet-100": {"network": "VGGm-11", "id_set": IMAGENET, "resolution": 32},
    "ID CIFAR-10": {"network": "VGGm-11", "id_set": "CIFAR-10"},
    "ID CIFAR-100": {"network": "VGGm-11", "id_set": "CIFAR-100"},
    **{f"ID {IMAGENET} {s}": {"id_set": f"{IMAGENET} {s}"} for s in ("10x1000", "50x200")},
    **{f"ID {IMAGENET} 100x{n}": {"id_set": f"{IMAGENET} 100x{n}"} for n in (100, 200, 500, 700)},
}


def pairs(table: pd.DataFrame, comparison: Comparison) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both sides of a comparison, row by row in pairs.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    comparison : Comparison

    Returns
    -------
    before, after : DataFrame
        Columns block and `names.MEASURES`; equal index (the matched columns, position), sorted. The sixth position is
        CIFAR-10 for networks trained on CIFAR-100, else CIFAR-100.

    Raises
    ------
    InputError
        If the two sides do not pair off.
    """
    sides = [
        where(table, **selection).set_index([*comparison.match, "position"])[["block", *MEASURES]].sort_index()
        for selection in (comparison.before, comparison.after)
    ]
    before, after = sides
    if before.empty or not before.index.is_unique or not before.index.equals(after.index):
        raise InputError(
            f"expected the rows of comparison {comparison.name!r} to pair off by {', '.join(comparison.match)} and OOD "
            f"set, got {len(before)} and {len(after)} rows that do not; add the column in which they differ to match"
        )
    return before, after


def in_file_order(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both sides of a comparison as they pair when each is left in the order of the file.

    The blocks of resolutions 64 and 128 stand in another order of architectures than those of 32 and 224, so pairing
    row by row, without names, compares ResNet-18 with ViT-T+ and the reverse. Means and Cliff's deltas do not depend on
    the pairing.
    """
    return tuple(side.sort_values(["block", "position"]) for side in (before, after))
