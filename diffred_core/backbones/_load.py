"""From the name of a model to a frozen network with its weights and preprocessing.

timm takes seconds to import, so it is imported only when a network is really built.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from diffred_core.backbones._backbone import Backbone, from_module
from diffred_core.backbones._checkpoint import PACKAGES, load_checkpoint, load_packaged
from diffred_core.backbones._transform import of_timm
from diffred_core.errors import InputError, near_names

HUB, LOCAL = "hf-hub:", "local-dir:"


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
        Any timm name, with or without the tag of its weights; ``hf-hub:OWNER/NAME`` for a model of the hub in timm's
        format, ``local-dir:PATH`` for a folder in that format.
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
    module = _create(model, pretrained=checkpoint is None and model not in PACKAGES, options=options)
    if checkpoint is not None:
        load_checkpoint(module, checkpoint, name=model)
    elif model in PACKAGES:
        load_packaged(module, model)
    return _frozen(module, model, image_size=image_size, options=options)


def _frozen(module: nn.Module, name: str, *, image_size: int | None, options: dict[str, Any]) -> Backbone:
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(module)
    if image_size is not None:
        config["input_size"] = (3, image_size, image_size)
    return from_module(
        module,
        name=name,
        input_size=config["input_size"][-1],
        mean=config["mean"],
        std=config["std"],
        transform=of_timm(config),
        preprocessing={key: list(value) if isinstance(value, tuple) else value for key, value in config.items()},
        model_args=options,
    )


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
        if not pretrained and not name.startswith((HUB, LOCAL)):
            raise
        place, remedy = "timm's hub or its cache", "connect once"
        if name.startswith(LOCAL):
            place, remedy = "a folder in timm's format", "save them there by timm.models.save_for_hf"
        raise InputError(
            f"expected the weights of {name!r} from {place}, but they cannot be had ({type(error).__name__}); {remedy}"
            f", give a checkpoint file, or choose one of {', '.join(PACKAGES)}"
        ) from error


def _check_name(name: str) -> None:
    import timm

    if name.startswith((HUB, LOCAL)):
        return  # timm reads the architecture from there
    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        known = [*timm.list_models(), *PACKAGES]
        raise InputError(f"unknown model {name!r}{near_names(name, known)}; timm.list_models() lists them all")
    known = timm.list_models(f"{base}.*", pretrained=True)
    if tag and name not in known:
        raise InputError(f"unknown weights {tag!r} of model {base!r}{near_names(name, known)}; known are {known}")
