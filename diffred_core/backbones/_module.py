"""From any network and what it does to an image to a backbone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from PIL import Image
from torch import Tensor, nn

from diffred_core.backbones._backbone import Backbone, Headed, digest, penultimate
from diffred_core.backbones._transform import CentreCrop
from diffred_core.errors import InputError, near_names


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
) -> Backbone:
    """Return any network as a backbone, frozen and in eval mode.

    Parameters
    ----------
    module : nn.Module
        Takes normalised images (n, 3, input_size, input_size). Features are what timm's methods give where it has them
        (`Headed`), else the input of `classifier`, else its output; one row an image.
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

    Returns
    -------
    Backbone

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
    if classifier is not None and classifier not in (known := [key for key, _ in module.named_modules() if key]):
        raise InputError(
            f"unknown classifier {classifier!r} of {name!r}{near_names(classifier, known)}; name one of its layers"
        )
    module.eval().requires_grad_(False)
    mean, std = tuple(mean), tuple(std)
    if transform is None:
        plain = CentreCrop(input_size, resized=input_size, interpolation="bicubic")
        preprocessing = {**plain.about, "mean": list(mean), "std": list(std), **(preprocessing or {})}
        transform = plain
    elif not isinstance(transform, CentreCrop):
        transform = partial(_of_rgb, transform)
    structure = {"classifier": classifier, "structure": hashlib.sha256(repr(module).encode()).hexdigest()}
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
    )


def _of_rgb(transform: Callable[[Image.Image], Tensor], image: Image.Image) -> Tensor:
    return transform(image.convert("RGB"))


def _width(module: nn.Module, name: str, size: int, classifier: str | None) -> int:
    """Return the width of the pooled features; timm's num_features is not it for every model."""
    head = module.get_classifier() if isinstance(module, Headed) else None
    if isinstance(head, nn.Linear) and not getattr(module, "pretrained_cfg", {}).get("fixed_input_size"):
        return head.in_features
    try:
        with torch.inference_mode():
            features = penultimate(module, torch.zeros(1, 3, size, size), classifier=classifier)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise InputError(
            f"expected model {name!r} to take images of {size} x {size} pixels, but it does not ({reason}); leave "
            f"image_size out, or create the model for it with model_args={{'img_size': {size}}}"
        ) from error
    if features.ndim != 2:
        raise InputError(
            f"expected pooled features of one row an image from {name!r}, got shape {tuple(features.shape)}; choose a "
            "model with a pooling head"
        )
    return features.shape[1]
