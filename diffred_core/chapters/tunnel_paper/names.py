"""Measures, predictors, OOD sets and printed quantities of the paper: each spelled once, with its words.

In the results table of the chapter a measure stands in the column ``label``, what is compared, predicted or read in
``method``, the statistic in ``metric``, and the side of a comparison or the way to pair its rows in ``split``.
"""

from __future__ import annotations

LEVEL = 0.95  # of intervals over pairs of networks
IMAGENET = "ImageNet-100"
CROSSED = ("VGGm-17", "ResNet-18", "ViT-T+")  # trained at all four resolutions
RESOLUTIONS = (32, 64, 128, 224)
MEASURES: dict[str, str] = {
    "retained": "% OOD performance retained",
    "correlation": "ID/OOD correlation",
    "alignment": "ID/OOD alignment",
}
# In the order of the regression's columns, which matters where two predictors split the rows alike.
PREDICTORS: dict[str, str] = {
    "stem": "stem",
    "spatial_reduction": "spatial reduction",
    "architecture": "CNN vs ViT",
    "augmentations": "augmentation",
    "resolution": "resolution",
    "classes": "ID classes",
    "over_parameterisation": "over-parameterisation",
    "depth": "depth",
}
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
N_OOD = len(OOD_SETS)
# How the sixth and seventh column of table 4 ("Pets", "CIFAR") may be read beside those of tables 5 to 7.
READINGS: dict[str, str] = {
    "exchanged": "headings exchanged",
    "same_place": "as printed, matched by place",
    "same_name": "as printed, matched by name",
}
DIGIT_VERDICTS = ("equal", "rounding", "differs")
# What is printed: words for one number of it, and for several.
QUANTITIES: dict[str, tuple[str, str]] = {
    "networks": ("networks", "networks by strength"),
    "n_cells": ("cells", "numbers of cells"),
    "mean": ("mean", "means"),
    "delta": ("|Cliff's delta|", "Cliff's deltas"),
    "p_value": ("p", "p-values"),
    "r2": ("R²", "R²"),
    "slope": ("slope", "slopes"),
    "slope_share": ("slope, normalised", "slopes, normalised"),
}
SIDE_WORDS = {
    "before": ", before",
    "after": ", after",
    "matched": ", pairs matched",
    "file_order": ", pairs in file order",
}
