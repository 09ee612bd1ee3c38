"""From the name of a model to a frozen network with its weights and preprocessing.

timm takes seconds to import, so it is imported only when a network is really built.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from diffred_core.backbones._backbone import Backbone, digest, penultimate
from diffred_core.backbones._checkpoint import load_checkpoint
from diffred_core.backbones._embedded import PACKAGES, load_packaged
from diffred_core.errors import InputError, near_names


def load(
    model: str,
    *,
    checkpoint: Path | str | None = None,
    image_size: int | None = None,
    model_args: Mapping[str, Any] | None = None,
) -> Backbone:
    """Return a frozen model with its weights.

    The weights come from `checkpoint`, else from an installed package (`embedded`), else from timm's hub.

    Parameters
    ----------
    model : str
        Any timm name, with or without the tag of its weights.
    checkpoint : path, optional
        A ``.safetensors`` or ``.pth`` file whose tensors all fit the model.
    image_size : int, optional
        Pixels a side, instead of the model's own.
    model_args : mapping, optional
        More arguments of ``timm.create_model``, such as ``{"pad_type": "same"}``, or
        ``{"pretrained_cfg_overlay": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}`` for other preprocessing.

    Returns
    -------
    Backbone

    Raises
    ------
    InputError
        If the name is unknown, or the weights cannot be had or do not fit.
    """
    options = dict(model_args or {})
    if checkpoint is not None:
        module = _create(model, pretrained=False, options=options)
        load_checkpoint(module, checkpoint, name=model)
    elif model in PACKAGES:
        module = _create(model, pretrained=False, options=options)
        load_packaged(module, model)
    else:
        module = _create(model, pretrained=True, options=options)
    return _frozen(module, model, image_size=image_size, options=options)


def _frozen(module: nn.Module, name: str, *, image_size: int | None, options: dict[str, Any]) -> Backbone:
    from timm.data import create_transform, resolve_model_data_config

    module.eval().requires_grad_(False)
    config = resolve_model_data_config(module)
    if image_size is not None:
        config["input_size"] = (3, image_size, image_size)
    size = config["input_size"][-1]
    # use_prefetcher: timm's own transform up to the bytes, leaving mean and std to the device.
    transform = create_transform(**config, is_training=False, use_prefetcher=True)
    return Backbone(
        name=name,
        module=module,
        transform=transform,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        input_size=size,
        n_features=_width(module, name, size),
        weights_digest=digest(module.state_dict()),
        preprocessing={key: list(value) if isinstance(value, tuple) else value for key, value in config.items()},
        model_args=options,
    )


def _width(module: nn.Module, name: str, size: int) -> int:
    """Return the width of the pooled features; timm's num_features is not it for every model."""
    head = module.get_classifier()
    if isinstance(head, nn.Linear) and not module.pretrained_cfg.get("fixed_input_size"):
        return head.in_features
    try:
        with torch.inference_mode():
            found = penultimate(module, torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise InputError(
            f"expected model {name!r} to take images of {size} x {size} pixels, but it does not ({reason}); leave "
            f"image_size out, or create the model for it with model_args={{'img_size': {size}}}"
        ) from error
    if found.ndim != 2:
        raise InputError(
            f"expected pooled features of one row an image from {name!r}, got shape {tuple(found.shape)}; choose a "
            "model with a pooling head"
        )
    return found.shape[1]


def _create(name: str, *, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    with warnings.catch_warnings():
        # Of a progress bar that a library of timm's would draw in a notebook; ours do not need its widgets.
        warnings.filterwarnings("ignore", message="IProgress not found")
        import timm

    _check_name(name)
    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except TypeError as error:
        raise InputError(
            f"expected model_args that timm's {name!r} takes, got {options} ({error}); see its signature"
        ) from error
    except Exception as error:  # the hub raises its own, OSError and its HTTP client's, by version
        if not pretrained:
            raise
        raise InputError(
            f"expected the weights of {name!r} from timm's hub or its cache, but they cannot be had "
            f"({type(error).__name__}); connect once, give a checkpoint file, or choose one of {', '.join(PACKAGES)}"
        ) from error


def _check_name(name: str) -> None:
    import timm

    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        known = [*timm.list_models(), *PACKAGES]
        raise InputError(f"unknown model {name!r}{near_names(name, known)}; timm.list_models() lists them all")
    known = timm.list_models(f"{base}.*", pretrained=True)
    if tag and name not in known:
        raise InputError(f"unknown weights {tag!r} of model {base!r}{near_names(name, known)}; known are {known}")
