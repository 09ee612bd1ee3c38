"""The design of the tunnel's factors: the settings of a base and of what differs from it.

A fraction of all combinations: classes and pixels are crossed, as the paper's headline is about both, and every other
factor is changed alone (Harun et al. 2024 train 64 of the combinations of theirs).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from diffred_core.chapters.depth import names
from diffred_core.checks import check_choice
from diffred_core.errors import InputError
from diffred_core.small_networks import Architecture, TrainingRecipe

MORE_IMAGES, WIDER, SHIFT = 4, 2, 3  # times the images, times the channels, pixels that images are moved at most
DEEP = {"vggm": 17, "resnet": 18, "vit": 12}
VIT_BLOCKS = 4


@dataclass(frozen=True)
class NetworkSetting:
    """What networks of one kind are and are trained on; they differ in their seed alone.

    Attributes
    ----------
    name : str
        In column ``label`` of a table.
    n_classes, size, n_images : int
        Classes of the task, pixels a side, training images in all.
    architecture : Architecture
    recipe : TrainingRecipe
    """

    name: str
    n_classes: int
    size: int
    n_images: int
    architecture: Architecture
    recipe: TrainingRecipe


FACTORS: dict[str, Callable[[NetworkSetting], NetworkSetting]] = {
    names.AUGMENTED: lambda base: replace(base, recipe=replace(base.recipe, shift=SHIFT)),
    names.MORE_IMAGES: lambda base: replace(base, n_images=MORE_IMAGES * base.n_images),
    names.DEEPER: lambda base: _of(base, depth=DEEP[base.architecture.family]),
    names.WIDER: lambda base: _of(base, width=WIDER * base.architecture.width),
    names.LATE_POOLING: lambda base: _of(base, early_pooling=False),
    names.VIT: lambda base: _of(base, family="vit", depth=VIT_BLOCKS),
}


def settings(
    *,
    classes: Sequence[int],
    image_sizes: Sequence[int],
    n_images: int,
    architecture: Architecture,
    factors: Sequence[str],
    recipe: TrainingRecipe,
) -> list[NetworkSetting]:
    """Return the four settings of classes by pixels, the base first, and the base with each factor changed.

    Parameters
    ----------
    classes, image_sizes : sequences of 2 ints
        Few and many classes, low and high resolution; the base has many classes and few pixels.
    n_images : int
        Training images of every setting but that of more images, whatever the classes.
    architecture, recipe
        Of the base.
    factors : sequence of str
        Keys of `FACTORS`.

    Raises
    ------
    InputError
        If there are not two classes or sizes in rising order, or a factor is unknown or of no use to the architecture.
    """
    for name, values in (("classes", classes), ("image_sizes", image_sizes)):
        if len(values) != 2 or values[0] >= values[1]:
            raise InputError(f"expected two numbers in {name}, the lower one first, got {list(values)}; give two")
    for factor in factors:
        check_choice(factor, FACTORS, "expected factors to be among {}")
    crossed = [
        NetworkSetting(name, n_classes, size, n_images, architecture=architecture, recipe=recipe)
        for name, (n_classes, size) in zip(names.CROSSED, itertools.product(classes[::-1], image_sizes), strict=True)
    ]
    return crossed + [replace(FACTORS[factor](crossed[0]), name=factor) for factor in factors]


def _of(base: NetworkSetting, **changes: Any) -> NetworkSetting:
    return replace(base, architecture=replace(base.architecture, **changes))
