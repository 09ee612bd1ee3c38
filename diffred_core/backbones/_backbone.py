"""A frozen network with all that its features depend on, and how any network becomes one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from PIL import Image
from torch import Tensor, nn

from diffred_core.backbones._transform import CentreCrop
from diffred_core.errors import InputError, near_names


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
    construction : dict
        How else the network came to be: classifier, structure and source of one that is not of timm.
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
    construction: dict[str, object] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, object]:
        """What its features depend on, as JSON holds it: part of every feature key."""
        return {
            "model": self.name,
            "model_args": self.model_args,
            "weights_digest": self.weights_digest,
            "preprocessing": self.preprocessing,
            # no entry for networks of timm, whose keys stand
            **({"construction": self.construction} if self.construction else {}),
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
            If the model has no head, or one that is a convolution over maps.
        """
        if isinstance(self.module, Headed):
            head = self.module.get_classifier()
        else:
            head = self.module.get_submodule(self.classifier) if self.classifier else nn.Identity()
        if isinstance(head, nn.Identity):
            raise InputError(f"expected a model with a classification head, but {self.name!r} has none; load another")
        if any(isinstance(layer, nn.Conv2d) for layer in head.modules()):
            raise InputError(
                f"expected a head that takes pooled features, but that of {self.name!r} is a convolution over maps; "
                "run the module itself"
            )
        return head(features)


def from_module(
    module: nn.Module,
    *,
    name: str,
    input_size: int,
    mean: Sequence[float],
    std: Sequence[float],
    classifier: str | None = None,
    transform: Callable[[Image.Image], Tensor] | None = None,
    preprocessing: Mapping[str, object] | None = None,
    model_args: Mapping[str, object] | None = None,
    construction: Mapping[str, object] | None = None,
) -> Backbone:
    """Return any network as a backbone, frozen and in eval mode.

    Parameters
    ----------
    module : nn.Module
        Takes normalised images (n, 3, input_size, input_size). Features are what timm's methods give where it has them
        (`Headed`), else the input of `classifier` (its mean over positions where that is a map), else its output; one
        row an image.
    name : str
        By which tables and folders speak of it.
    input_size : int
        Pixels a side.
    mean, std : sequence of 3 floats
        Of the channels, in units of 0..1.
    classifier : str, optional
        Name of the layer whose input the features are, such as ``"fc"``.
    transform : callable, optional
        Maps an RGB image to a uint8 tensor (3, input_size, input_size); by default the shorter side is resized to
        `input_size` (bicubic) and the central square kept.
    preprocessing : mapping, optional
        What `transform` does, as JSON holds it: part of the key of the features, so a transform needs it.
    model_args : mapping, optional
        What else the features depend on, as JSON holds it. By default the structure of the network, as it prints
        itself: two networks with equal weights and other activations are two.
    construction : mapping, optional
        As the attribute of `Backbone`.

    Raises
    ------
    InputError
        If `transform` has no `preprocessing`, the classifier is unknown, the network does not take such images, or does
        not give one row an image.
    """
    if transform is not None and preprocessing is None:
        raise InputError(
            f"expected preprocessing beside the transform of {name!r}, got none; describe it, for instance "
            "preprocessing={'resize': 256, 'crop': 224}: features of another transform must have another key"
        )
    if classifier is not None and classifier not in (layers := [key for key, _ in module.named_modules() if key]):
        raise InputError(
            f"unknown classifier {classifier!r} of {name!r}{near_names(classifier, layers)}; name one of its layers"
        )
    module.eval().requires_grad_(False)
    mean, std = tuple(mean), tuple(std)
    if transform is None:
        plain = CentreCrop(input_size, resized=input_size, interpolation="bicubic")
        preprocessing = {**plain.about, "mean": list(mean), "std": list(std), **(preprocessing or {})}
        transform = plain
    elif not isinstance(transform, CentreCrop):
        transform = partial(_of_rgb, transform)
    structure = {"classifier": classifier, "structure": structure_digest(module)}
    return Backbone(
        name=name,
        module=module,
        transform=transform,
        mean=mean,
        std=std,
        input_size=input_size,
        n_features=_width(module, name, input_size, classifier),
        weights_digest=digest(module.state_dict()),
        preprocessing=dict(preprocessing or {}),
        model_args=structure if model_args is None else dict(model_args),
        classifier=classifier,
        construction=dict(construction or {}),
    )


def structure_digest(module: nn.Module) -> str:
    """Return the SHA-256 of the layers of `module`, as it prints itself."""
    return hashlib.sha256(repr(module).encode()).hexdigest()


def _of_rgb(transform: Callable[[Image.Image], Tensor], image: Image.Image) -> Tensor:
    return transform(image.convert("RGB"))


def _width(module: nn.Module, name: str, size: int, classifier: str | None) -> int:
    """Return the width of the pooled features; timm's num_features is not it for every model."""
    head = module.get_classifier() if isinstance(module, Headed) else None
    if isinstance(head, nn.Linear) and not getattr(module, "pretrained_cfg", {}).get("fixed_input_size"):
        return head.in_features
    with torch.inference_mode(), fitting_images(name, size):
        features = penultimate(module, torch.zeros(1, 3, size, size), classifier=classifier)
    if features.ndim != 2:
        raise InputError(
            f"expected pooled features of one row an image from {name!r}, got shape {tuple(features.shape)}; choose a "
            "model with a pooling head"
        )
    return features.shape[1]


@contextmanager
def fitting_images(name: str, size: int) -> Iterator[None]:
    """Say in a sentence that the model `name` does not take images of `size`, where it fails on one."""
    try:
        yield
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise InputError(
            f"expected model {name!r} to take images of {size} x {size} pixels, but it does not ({reason}); leave "
            f"image_size out, or create the model for it with model_args={{'img_size': {size}}}"
        ) from error


def normalised(pixels: Tensor, *, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return uint8 `pixels` (n, 3, height, width) less `mean`, over `std`, both a channel and in units of 0..1."""
    shift, scale = (values.to(pixels.device) for values in channel_constants(mean, std))
    return (pixels.float() - shift) / scale


def channel_constants(mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return what `normalised` takes off bytes and divides them by, each (1, 3, 1, 1)."""
    shift, scale = (torch.tensor(values).view(1, -1, 1, 1) * 255 for values in (mean, std))
    return shift, scale


def penultimate(module: nn.Module, images: Tensor, *, classifier: str | None = None) -> Tensor:
    """Return the pooled features before the head, (n, n_features): by timm's methods where `module` has them.

    A map before the `classifier`, such as a convolution is, is averaged over its positions.
    """
    if isinstance(module, Headed):
        return module.forward_head(module.forward_features(images), pre_logits=True)
    if classifier is None:
        output: Tensor = module(images)
        return output
    inputs: list[Tensor] = []
    handle = module.get_submodule(classifier).register_forward_pre_hook(lambda _module, args: inputs.append(args[0]))
    try:
        module(images)
    finally:
        handle.remove()
    if not inputs:
        raise InputError(
            f"expected the classifier {classifier!r} to run in a forward pass, but it does not; name another"
        )
    return inputs[-1].mean((2, 3)) if inputs[-1].ndim == 4 else inputs[-1]


def digest(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, dtypes, shapes and bytes of every tensor, by name."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()
