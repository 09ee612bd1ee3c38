"""A frozen network with all that its features depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from PIL import Image
from torch import Tensor, nn

from diffred_core.errors import InputError


@runtime_checkable
class Headed(Protocol):
    """What timm's models offer: the way to the pooled features, and the classifier behind them."""

    def forward_features(self, images: Tensor, /) -> Tensor:
        """Return the last maps or tokens of normalised `images` (n, 3, height, width)."""

    def forward_head(self, maps: Tensor, /, *, pre_logits: bool = False) -> Tensor:
        """Return the logits of `maps`; with `pre_logits` the pooled features (n, n_features) before them."""

    def get_classifier(self) -> nn.Module:
        """Return the last layer, `nn.Identity` where there is none."""


@dataclass(frozen=True)
class Backbone:
    """A network in eval mode, its preprocessing, and the digest of its weights.

    Extraction, layers and moments need no more than this; `load` and `from_module` make one.

    Attributes
    ----------
    name : str
        The name of the model, by which tables and folders speak of it.
    module : nn.Module
        The network, frozen and in eval mode; it takes normalised images. Its pooled features come through timm's
        methods (`Headed`) where it has them, else they are the input of `classifier`, else its output.
    transform : callable
        Maps a PIL image, RGB or of one channel (``"L"``), to the uint8 tensor of shape (3, input_size, input_size)
        that the network sees before `mean` and `std` (both in units of 0..1) are taken off. Bytes are a quarter of the
        floats' traffic.
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
    classifier : str, optional
        Name of the layer whose input the features are, in a network without timm's methods.
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
    classifier: str | None = None

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
        return penultimate(self.module, images, classifier=self.classifier)

    def head_logits(self, features: Tensor) -> Tensor:
        """Return the network's own logits from its own features.

        Raises
        ------
        InputError
            If the model was created without a head.
        """
        if isinstance(self.module, Headed):
            head = self.module.get_classifier()
        else:
            head = self.module.get_submodule(self.classifier) if self.classifier else nn.Identity()
        if isinstance(head, nn.Identity):
            raise InputError(f"expected a model with a classification head, but {self.name!r} has none; load another")
        return head(features)


def normalised(pixels: Tensor, *, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return uint8 `pixels` (n, 3, height, width) less `mean`, over `std`, both a channel and in units of 0..1."""
    shift, scale = (torch.tensor(values, device=pixels.device).view(1, -1, 1, 1) * 255 for values in (mean, std))
    return (pixels.float() - shift) / scale


def penultimate(module: nn.Module, images: Tensor, *, classifier: str | None = None) -> Tensor:
    """Return the pooled features before the head, (n, n_features): by timm's methods where `module` has them."""
    if isinstance(module, Headed):
        return module.forward_head(module.forward_features(images), pre_logits=True)
    if classifier is None:
        output: Tensor = module(images)
        return output
    inputs: list[Tensor] = []
    handle = module.get_submodule(classifier).register_forward_pre_hook(lambda _module, given: inputs.append(given[0]))
    try:
        module(images)
    finally:
        handle.remove()
    if not inputs:
        raise InputError(
            f"expected the classifier {classifier!r} to run in a forward pass, but it does not; name another"
        )
    return inputs[-1]


def digest(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, dtypes, shapes and bytes of every tensor, by name."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()
