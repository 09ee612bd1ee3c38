"""A classification network of torchvision: ``torchvision:NAME``, or ``torchvision:NAME.WEIGHTS``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from diffred_core.backbones._hub import reachable
from diffred_core.errors import InputError, near_names

PREFIX = "torchvision:"


def build(model: str, *, pretrained: bool, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network, with torchvision's weights if `pretrained`, and their preprocessing as a timm data config."""
    name, weights = _weights(model)
    if pretrained:
        _check_within_reach(model, weights.url)
    try:
        from torchvision.models import get_model

        module: nn.Module = get_model(name, weights=weights if pretrained else None, **options)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"expected model_args that torchvision's {name!r} takes, got {options} ({error}); see its signature"
        ) from error
    return module, _config(weights.transforms())


def _weights(model: str) -> Any:
    """Return the name in torchvision and the weights: those of the tag, else torchvision's default."""
    from torchvision import models

    name, _, tag = model.removeprefix(PREFIX).partition(".")
    known = models.list_models(module=models)
    if name not in known:
        raise InputError(
            f"unknown model {name!r} of torchvision{near_names(name, known)}; name one of "
            "torchvision.models.list_models(module=torchvision.models)"
        )
    weights = models.get_model_weights(name)
    tags = [one.name for one in weights]
    if tag and tag not in tags:
        raise InputError(f"unknown weights {tag!r} of torchvision's {name!r} (known: {', '.join(tags)}); name one")
    return name, weights[tag] if tag else weights.DEFAULT


def _check_within_reach(model: str, url: str) -> None:
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not cached.is_file() and not reachable(url):
        raise InputError(
            f"expected the weights of {model!r} from torchvision's server or {str(cached.parent)!r}, but neither has "
            "them in reach; connect once, or give a checkpoint file"
        )


def _config(transforms: Any) -> dict[str, Any]:
    (size,), (resized,) = transforms.crop_size, transforms.resize_size
    return {
        "input_size": (3, size, size),
        "interpolation": transforms.interpolation.value,
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
        "crop_pct": size / resized,
        "crop_mode": "center",
    }
