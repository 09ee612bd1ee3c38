"""What one change does to the tunnel: settings contrasted in pairs of networks of one seed, beside published means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.depth import names
from diffred_core.errors import InputError
from diffred_core.results import published, where
from diffred_core.results.claims import Side

MEASURES = {  # the published three, and the first with the best layer chosen on validation rows
    names.RETAINED: "retained",
    names.RETAINED_HELD_OUT: "retained, held out",
    names.CORRELATION: "correlation",
    names.ALIGNMENT: "alignment",
}
PRINTED = (names.RETAINED, names.CORRELATION, names.ALIGNMENT)


@dataclass(frozen=True)
class Contrast:
    """What one change does to networks: settings with it less those without, in pairs of one seed.

    Attributes
    ----------
    words : str
        The change.
    after, before : tuple of str
        Settings with and without it; the mean over them is taken.
    side : {"above", "below", "within"}, optional
        Where the paper puts the change of the percentage retained: above 0, below, or near it; None where it says
        nothing.
    published : pair of (subject, side), optional
        Of `published.tunnel_numbers`: where the printed means without and with it stand.
    """

    words: str
    after: tuple[str, ...]
    before: tuple[str, ...]
    side: Side | None
    published: tuple[tuple[str, str], tuple[str, str]] | None


_BASE = (names.BASE,)
CONTRASTS: dict[str, Contrast] = {
    "classes": Contrast(
        "more classes",
        (names.BASE, names.MORE_PIXELS),
        (names.FEWER_CLASSES, names.FEWER_CLASSES_MORE_PIXELS),
        "above",
        (("ID ImageNet-100 10x1000", ""), ("ID ImageNet-100 100x100", "")),
    ),
    "resolution": Contrast(
        "more pixels",
        (names.MORE_PIXELS, names.FEWER_CLASSES_MORE_PIXELS),
        (names.BASE, names.FEWER_CLASSES),
        "above",
        (("resolution_32_64", "before"), ("resolution_32_224", "after")),
    ),
    "headline": Contrast("more classes and more pixels", (names.MORE_PIXELS,), (names.FEWER_CLASSES,), "above", None),
    names.AUGMENTED: Contrast(
        "augmentation", (names.AUGMENTED,), _BASE, "above", (("augmentation", "before"), ("augmentation", "after"))
    ),
    names.MORE_IMAGES: Contrast(
        "more images a class",
        (names.MORE_IMAGES,),
        _BASE,
        "within",
        (("ID ImageNet-100 100x100", ""), ("ID ImageNet-100 100x700", "")),
    ),
    names.DEEPER: Contrast("more layers", (names.DEEPER,), _BASE, "below", (("depth", "before"), ("depth", "after"))),
    names.WIDER: Contrast(
        "more channels",
        (names.WIDER,),
        _BASE,
        "below",
        (("over_parameterisation", "before"), ("over_parameterisation", "after")),
    ),
    names.LATE_POOLING: Contrast(
        "no early pooling",
        (names.LATE_POOLING,),
        _BASE,
        "above",
        (("spatial_reduction", "before"), ("spatial_reduction", "after")),
    ),
    names.VIT: Contrast("a ViT in place of a VGG", (names.VIT,), _BASE, None, (("VGGm", ""), ("ViT", ""))),
}


def known(table: pd.DataFrame, *, recipe: str = names.TRAINED) -> dict[str, Contrast]:
    """Return the contrasts of which the table of `tunnel_factors` holds both sides."""
    held = set(where(table, recipe=recipe)["label"])
    return {
        name: contrast
        for name, contrast in CONTRASTS.items()
        if held & set(contrast.after) and held & set(contrast.before)
    }


def by_seed(
    table: pd.DataFrame, setting: str, *, metric: str = names.RETAINED, recipe: str = names.TRAINED
) -> pd.Series:
    """Return a measure of the networks of one setting by seed, mean over OOD tasks.

    Raises
    ------
    InputError
        If the table has no such networks.
    """
    rows = where(table, metric=metric, label=setting, recipe=recipe, method=names.TRANSFER)
    if rows.empty:
        there = ", ".join(dict.fromkeys(table["label"].dropna()))
        raise InputError(f"expected {metric} of {setting} ({recipe}), got no such row; the table holds {there}")
    return rows.groupby("seed")["value"].mean()


def change(
    table: pd.DataFrame, contrast: Contrast, *, metric: str = names.RETAINED, recipe: str = names.TRAINED
) -> pd.Series:
    """Return by how much a measure changes, by seed: mean over settings with the change less that over those without.

    Raises
    ------
    InputError
        If the table has none of the settings on one side.
    """
    held = set(where(table, recipe=recipe)["label"])
    sides = []
    for settings in (contrast.after, contrast.before):
        there = [one for one in settings if one in held] or list(settings)
        sides.append(
            pd.DataFrame({one: by_seed(table, one, metric=metric, recipe=recipe) for one in there}).mean(axis=1)
        )
    return (sides[0] - sides[1]).dropna()


def published_means(contrast: Contrast, metric: str) -> tuple[float, float]:
    """Return the means that Harun et al. (2024) print without and with the change; NaN where they print none."""
    numbers = published.tunnel_numbers()
    means = where(numbers, quantity="mean", metric=names.PUBLISHED_AS[metric]).set_index(["subject", "side"])["value"]
    places = contrast.published or ()
    printed = [float(means.get(place, np.nan)) for place in places]
    return (printed[0], printed[1]) if printed else (np.nan, np.nan)


def changes(table: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Return the change of what is retained by every contrast, trained and not, beside the published one.

    Returns
    -------
    DataFrame
        Columns contrast, change (its words), recipe, mean, low, high (points), n, level, published.
    """
    rows = []
    for recipe in (names.TRAINED, names.UNTRAINED):
        for name, contrast in known(table, recipe=recipe).items():
            pairs = change(table, contrast, recipe=recipe)
            limits = dict(zip(("mean", "low", "high"), intervals.mean_interval(pairs, level=level), strict=True))
            before, after = published_means(contrast, names.RETAINED)
            about = {"contrast": name, "change": contrast.words, "recipe": recipe, "n": len(pairs), "level": level}
            rows.append(about | limits | {"published": after - before})
    return pd.DataFrame(rows)
