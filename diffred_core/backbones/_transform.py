"""What an image goes through before the network: resized, cropped, bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from diffred_core.backbones._resize import KERNELS, resized
from diffred_core.errors import InputError, near_names

Transform = Callable[[Image.Image], Tensor]
INTERPOLATIONS = tuple(name.lower() for name in Image.Resampling.__members__)
KEYS = {"input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode"}  # others ask for more than a crop


@dataclass(frozen=True)
class CentreCrop:
    """Resize the shorter side and keep the central square: timm's evaluation transform, to the last bit.

    An image of one channel stays one until it is resized, a third of the work for the same bytes: every channel is
    resized alike.

    Attributes
    ----------
    size : int
        Pixels a side of the square.
    resized : int
        Pixels of the shorter side before the crop, at least `size`.
    interpolation : str
        A name of `PIL.Image.Resampling`, in small letters.
    """

    size: int
    resized: int
    interpolation: str

    @property
    def about(self) -> dict[str, object]:
        """What it does, as JSON holds it."""
        return {"crop": "centre", "size": self.size, "resized": self.resized, "interpolation": self.interpolation}

    @property
    def enlarges_below(self) -> int:
        """Below how many pixels a side `of_batch` takes an image: what fits into the square is not made smaller."""
        return self.size if self.interpolation in KERNELS else 0

    def __call__(self, image: Image.Image) -> Tensor:
        """Return the uint8 tensor (3, size, size) of an image in RGB or ``"L"``."""
        image = image if image.mode in ("L", "RGB") else image.convert("RGB")
        scaled, (left, top) = self._places(image.size)
        if scaled != image.size:
            image = image.resize(scaled, Image.Resampling[self.interpolation.upper()])
        return to_tensor(image.crop((left, top, left + self.size, top + self.size)))

    def of_batch(self, pixels: Tensor) -> Tensor:
        """Return the uint8 tensor (n, 3, size, size) of small images (n, 3, height, width), on their device.

        Every image is the one that the call gives, to the last bit; see `enlarges_below`.
        """
        height, width = pixels.shape[-2:]
        scaled, corner = self._places((width, height))
        to, corner = scaled[::-1], corner[::-1]
        return resized(pixels, to=to, corner=corner, size=self.size, interpolation=self.interpolation)

    def _places(self, sides: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return width and height after the resize, and left and top of the square."""
        width, height = (int(self.resized * side / min(sides)) for side in sides)
        left, top = (round((side - self.size) / 2.0) for side in (width, height))
        return (width, height), (left, top)


def check_preprocessing(preprocessing: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what `backbones.load` takes as ``preprocessing`` as entries of a timm data config.

    Raises
    ------
    InputError
        If it is no mapping, or an entry is unknown or out of range.
    """
    if preprocessing is None:
        return {}
    if not isinstance(preprocessing, Mapping):
        raise InputError(f"expected preprocessing as a dict of {', '.join(CHOICES)}, got {preprocessing!r}; write one")
    for key, value in preprocessing.items():
        if key not in CHOICES:
            raise InputError(
                f"unknown preprocessing {key!r}{near_names(str(key), CHOICES)} (known: {', '.join(CHOICES)}); name one"
            )
        fits, form = CHOICES[key]
        if not fits(value):
            raise InputError(f"expected {key} of preprocessing to be {form}, got {value!r}; write it so")
    config = {key: tuple(value) if key in ("mean", "std") else value for key, value in preprocessing.items()}
    size = preprocessing.get("input_size")
    return config if size is None else config | {"input_size": (3, size, size)}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _three(value: object, *, above: float) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 3 and all(_is_number(v) and v > above for v in value)


CHOICES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "mean": (lambda value: _three(value, above=-math.inf), "3 numbers in units of 0..1"),
    "std": (lambda value: _three(value, above=0.0), "3 numbers above 0, in units of 0..1"),
    "input_size": (lambda value: type(value) is int and value > 0, "pixels a side, an int above 0"),
    "interpolation": (lambda value: value in INTERPOLATIONS, f"one of {', '.join(INTERPOLATIONS)}"),
    "crop_pct": (lambda value: _is_number(value) and 0 < value <= 1, "a share above 0 and at most 1"),
}
"""What of the preprocessing can be chosen: a check of each value and its words."""


def to_tensor(image: Image.Image) -> Tensor:
    """Return the bytes of an image in RGB or ``"L"`` as a tensor (3, height, width)."""
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        return torch.from_numpy(np.repeat(pixels[None], 3, axis=0))
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def of_timm(config: Mapping[str, Any]) -> Transform:
    """Return the evaluation transform of a timm data config, up to the bytes.

    Most are a resize and a central square, which needs no timm.
    """
    (height, width), crop = config["input_size"][-2:], config.get("crop_pct") or 0.875
    plain = height == width and config.get("crop_mode") in (None, "center") and crop <= 1 and set(config) <= KEYS
    if plain and config["interpolation"].upper() in Image.Resampling.__members__:
        return CentreCrop(height, resized=math.floor(height / crop), interpolation=config["interpolation"])
    from timm.data import create_transform

    # use_prefetcher: up to the bytes, leaving mean and std to the device.
    return create_transform(**config, is_training=False, use_prefetcher=True)
