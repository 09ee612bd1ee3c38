"""Random views of images: how each is made, fixed by the name of the image and a number, and the dataset of them."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from diffred_core.datasets import Dataset
from diffred_core.errors import InputError

RATIO = (3 / 4, 4 / 3)  # of width to height of a crop
ATTEMPTS = 10  # at a crop that fits, as in torchvision's RandomResizedCrop; then the whole image
COLOURS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


@dataclass(frozen=True)
class ViewRecipe:
    """How a view is made of an image.

    Attributes
    ----------
    crop_scale : (float, float)
        Smallest and largest share of the area of the image that a crop has.
    flip : bool
        Mirror every other view, at random.
    colour : float
        Brightness, contrast and saturation are each multiplied by a factor within ``1 - colour .. 1 + colour``.
    seed : int
        With the name of the sample and the number of the view it fixes the view, whatever else is asked for.
    """

    crop_scale: tuple[float, float] = (0.3, 1.0)
    flip: bool = False
    colour: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "crop_scale", tuple(map(float, self.crop_scale)))
        if len(self.crop_scale) != 2 or not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise InputError(
                f"crop_scale must be two growing shares of the area in (0, 1], got {self.crop_scale}; take (0.3, 1)"
            )
        if not 0 <= self.colour < 1:
            raise InputError(f"colour must be in [0, 1), got {self.colour}; 0 leaves colours as they are")

    def apply(self, image: Image.Image, *, sample_id: str, view: int, size: int) -> Image.Image:
        """Return view number `view` of `image`, `size` pixels a side."""
        name = f"{self.seed}\0{sample_id}\0{view}"
        draw = random.Random(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]))
        box = crop_box(image.size, scale=self.crop_scale, draw=draw)
        shown = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
        if self.flip and draw.random() < 0.5:
            shown = shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for enhance in COLOURS if self.colour else ():
            shown = enhance(shown).enhance(draw.uniform(1 - self.colour, 1 + self.colour))
        return shown

    def identity(self, view: int) -> dict[str, object]:
        """Return what the features of the view depend on, as JSON holds it."""
        return {**asdict(self), "crop_scale": list(self.crop_scale), "view": view, "version": 1}


def crop_box(
    size: tuple[int, int], *, scale: tuple[float, float], draw: random.Random
) -> tuple[float, float, float, float]:
    """Return a random crop (left, top, right, bottom) of an image of `size`: torchvision's RandomResizedCrop.

    Its corners need not lie on pixels, which matters for images of eight pixels a side.
    """
    width, height = size
    for _ in range(ATTEMPTS):
        area = width * height * draw.uniform(*scale)
        ratio = math.exp(draw.uniform(*map(math.log, RATIO)))
        w, h = (area * ratio) ** 0.5, (area / ratio) ** 0.5
        if w <= width and h <= height:
            left, top = draw.uniform(0, width - w), draw.uniform(0, height - h)
            return left, top, min(left + w, width), min(top + h, height)
    return 0.0, 0.0, float(width), float(height)


@dataclass(frozen=True)
class View:
    """View `number` of some samples of a dataset, `size` pixels a side."""

    dataset: Dataset
    samples: Tensor
    recipe: ViewRecipe
    number: int
    size: int

    def viewed(self) -> Dataset:
        """Return the dataset of these samples whose images are the views."""
        none = self.samples[:0]
        images = zip(self.dataset.image_digests, self.dataset.sample_ids, strict=True)
        return replace(
            self.dataset,
            splits={"train": self.samples, "validation": none, "test": none},
            # with the name of the image, from which its crop is drawn
            image_digests=tuple(hashlib.sha256(f"{digest}\0{name}".encode()).hexdigest() for digest, name in images),
            read=self._image,
        )

    def _image(self, i: int) -> Image.Image:
        image = self.dataset.image(i, grey=not self.recipe.colour)
        return self.recipe.apply(image, sample_id=self.dataset.sample_ids[i], view=self.number, size=self.size)


def places_of(dataset: Dataset, rows: Tensor | Sequence[int] | None) -> tuple[Tensor, Tensor]:
    """Return the samples asked for, each once and in one order, and the place of every row among them."""
    samples = torch.cat(list(dataset.splits.values()))
    rows = torch.arange(len(samples)) if rows is None else torch.as_tensor(rows).cpu()
    if rows.ndim != 1 or rows.dtype != torch.int64 or not len(rows) or rows.min() < 0 or rows.max() >= len(samples):
        raise InputError(
            f"rows must be places within 0..{len(samples) - 1} in the samples of {dataset.name!r}, got "
            f"{rows.dtype} of shape {tuple(rows.shape)}{_range(rows)}; count through train, validation and test"
        )
    return samples[rows].unique(return_inverse=True)


def _range(rows: Tensor) -> str:
    return f" from {rows.min().item()} to {rows.max().item()}" if rows.numel() else ""
