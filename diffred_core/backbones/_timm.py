"""A network of timm: by name, from the hub, or from a folder in its format.

timm takes seconds to import, so it is imported only when a network is really built.
"""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import Any

from torch import nn

from diffred_core.backbones._hub import cache_where_offline
from diffred_core.backbones._packaged import PACKAGES, load_packaged
from diffred_core.errors import InputError, near_names

HUB, LOCAL = "hf-hub:", "local-dir:"


def build(model: str, *, pretrained: bool, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network `model`, with its own weights if `pretrained`, and its preprocessing as a timm data config."""
    with warnings.catch_warnings():
        # Of a progress bar that a library of timm's would draw in a notebook; ours do not need its widgets.
        warnings.filterwarnings("ignore", message="IProgress not found")
        from timm.data.config import resolve_model_data_config
    _check_name(model)
    module = _create(model, download=pretrained and model not in PACKAGES, options=options)
    if pretrained and model in PACKAGES:
        load_packaged(module, model)
    config: dict[str, Any] = resolve_model_data_config(module)
    return module, config


def _create(model: str, *, download: bool, options: dict[str, Any]) -> nn.Module:
    import timm

    of_hub = download or model.startswith(HUB)
    try:
        with cache_where_offline() if of_hub and not model.startswith(LOCAL) else nullcontext():
            return timm.create_model(model, pretrained=download, **options)
    except TypeError as error:
        raise InputError(
            f"expected model_args that timm's {model!r} takes, got {options} ({error}); see its signature"
        ) from error
    except Exception as error:  # the hub raises its own, OSError and its HTTP client's, by version
        if not download and not model.startswith((HUB, LOCAL)):
            if not options:
                raise
            reason = f"{type(error).__name__}: {error}"
            raise InputError(
                f"expected model_args that timm's {model!r} can be created with, got {options} ({reason}); correct them"
            ) from error
        place, remedy = "timm's hub or its cache", "connect once"
        if model.startswith(LOCAL):
            place, remedy = "a folder in timm's format", "save them there by timm.models.save_for_hf"
        raise InputError(
            f"expected the weights of {model!r} from {place}, but they cannot be found, read or downloaded "
            f"({type(error).__name__}); {remedy}, give a checkpoint file, or choose one of {', '.join(PACKAGES)}"
        ) from error


def _check_name(name: str) -> None:
    import timm

    if name.startswith((HUB, LOCAL)):
        return  # timm reads the architecture from there
    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        near = near_names(name, [*timm.list_models(), *PACKAGES])
        raise InputError(f"unknown model {name!r}{near}; timm.list_models() lists them all")
    tagged = timm.list_models(f"{base}.*", pretrained=True)
    if tag and name not in tagged:
        raise InputError(
            f"unknown weights {tag!r} of model {base!r}{near_names(name, tagged)} (known: {', '.join(tagged)})"
        )
