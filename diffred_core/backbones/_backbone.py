"""A frozen network with all that its features depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from PIL import Image
from torch import Tensor, nn

from diffred_core.errors import InputError


@dataclass(frozen=True)
class Backbone:
    """A network in eval mode, its preprocessing, and the digest of its weights.

    Attributes
    ----------
    name : str
        timm's name of the model.
    module : nn.Module
        The network, frozen and in eval mode; it takes normalised images.
    transform : callable
        Maps a PIL image to the uint8 tensor of shape (3, input_size, input_size) that the network sees before
        `mean` and `std` (both in units of 0..1) are taken off. Bytes are a quarter of the floats' traffic.
    input_size : int
        Pixels a side.
    n_features : int
        Width of the pooled features before the head.
    weights_digest : str
        SHA-256 of names, shapes and values of every tensor.
    preprocessing : dict
        Input size, interpolation, crop, mean and std, as timm's data_config resolves them.
    model_args : dict
        What the model was created with beyond its name.
    """

    name: str
    module: nn.Module = field(repr=False)
    transform: Callable[[Image.Image], Tensor] = field(repr=False)
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int
    n_features: int
    weights_digest: str
    preprocessing: dict[str, object]
    model_args: dict[str, object]

    @property
    def identity(self) -> dict[str, object]:
        """What its features depend on, as JSON holds it: part of every feature key."""
        return {
            "model": self.name,
            "model_args": self.model_args,
            "weights_digest": self.weights_digest,
            "preprocessing": self.preprocessing,
        }

    def normalised(self, pixels: Tensor) -> Tensor:
        """Return uint8 `pixels` of shape (n, 3, height, width) as the float32 images that the network takes."""
        return normalised(pixels, mean=self.mean, std=self.std)

    def features(self, images: Tensor) -> Tensor:
        """Return the pooled features before the head, (n, n_features), of normalised images (n, 3, h, w)."""
        return penultimate(self.module, images)

    def head_logits(self, features: Tensor) -> Tensor:
        """Return the network's own logits from its own features.

        Raises
        ------
        InputError
            If the model was created without a head.
        """
        head = self.module.get_classifier()
        if isinstance(head, nn.Identity):
            raise InputError(f"expected a model with a classification head, but {self.name!r} has none; load another")
        return head(features)


def normalised(pixels: Tensor, *, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return uint8 `pixels` (n, 3, height, width) less `mean`, over `std`, both a channel and in units of 0..1."""
    mean, std = (torch.tensor(values, device=pixels.device).view(1, -1, 1, 1) * 255 for values in (mean, std))
    return (pixels.float() - mean) / std


def penultimate(module: nn.Module, images: Tensor) -> Tensor:
    """Return timm's pooled features before the head, (n, n_features)."""
    return module.forward_head(module.forward_features(images), pre_logits=True)


def digest(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, dtypes, shapes and bytes of every tensor, by name."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()
