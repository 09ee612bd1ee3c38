"""From the name of a model to a frozen network with its weights and preprocessing.

Weights come from timm's hub, from torchvision, from an installed package, or from a local file, without running any
code from it; only a function that the model's name names (`_factory`) is run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import nn

from diffred_core import files
from diffred_core.backbones import _factory, _timm, _torchvision
from diffred_core.backbones._backbone import Backbone, Headed, from_module, structure_digest
from diffred_core.backbones._checkpoint import load_checkpoint
from diffred_core.backbones._heads import head_of
from diffred_core.backbones._transform import check_preprocessing, of_timm
from diffred_core.errors import InputError

REQUIRED = ("mean", "std", "input_size")
"""Of the preprocessing of a network that a function makes: nobody else knows it, unless the task gives the size."""


def load(
    model: str,
    *,
    checkpoint: Path | str | None = None,
    image_size: int | None = None,
    model_args: Mapping[str, Any] | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    classifier: str | None = None,
) -> Backbone:
    """Return a frozen model with its weights.

    The weights come from `checkpoint`, else from an installed package (`embedded`), timm's hub or torchvision.

    Parameters
    ----------
    model : str
        Any timm name, with or without the tag of its weights; ``hf-hub:OWNER/NAME`` for a model of the hub in timm's
        format, ``local-dir:PATH`` for a folder in that format; ``torchvision:NAME``, with or without the name of its
        weights (``torchvision:resnet50.IMAGENET1K_V1``); ``package.module:function`` or ``path/to/file.py:function``
        for a network that a function of your own makes. The last runs the code that it names.
    checkpoint : path, optional
        A ``.safetensors`` or ``.pth`` file. Every tensor before the classifier must fit; a head for other classes is
        taken with them, and one that is missing, or of another kind, leaves the network without a head. Prefixes and
        heads of published files (robust networks, Matryoshka representations, MoCo, SwAV, DINO) are known: `_formats`.
    image_size : int, optional
        Pixels a side, instead of the model's own or that of `preprocessing`.
    model_args : mapping, optional
        More arguments of ``timm.create_model``, such as ``{"pad_type": "same"}``, of torchvision's constructor or of
        the function.
    preprocessing : mapping, optional
        ``mean`` and ``std`` (3 numbers each, in units of 0..1), ``input_size`` (pixels a side), ``interpolation``,
        ``crop_pct``, each instead of the model's own. A function's network has none: it needs the first three, of which
        `image_size` may give the last.
    classifier : str, optional
        Name of the layer whose input the features are, of a network without timm's methods. By default the last layer
        with weights, if its output is the network's (a linear layer) or becomes it by pooling (a 1 x 1 convolution,
        before which maps are averaged); else, and for ``""``, the features are the network's output.

    Raises
    ------
    InputError
        If the name is unknown, the arguments are, or the weights cannot be found, read or downloaded, or do not fit.
    """
    options, own = check_model_args(model_args), dict(check_preprocessing(preprocessing))
    if image_size is not None:
        own["input_size"] = (3, image_size, image_size)
    module, config, construction = _built(model, pretrained=checkpoint is None, options=options, own=own)
    config |= own
    head = head_of(module, classifier, name=model, size=config["input_size"][-1])
    if checkpoint is not None:
        load_checkpoint(module, checkpoint, name=model, head=head)
    layer = None if isinstance(module, Headed) or not head else head[0]
    return from_module(
        module,
        name=files.short_model(model),
        input_size=config["input_size"][-1],
        mean=config["mean"],
        std=config["std"],
        classifier=layer,
        transform=of_timm(config),
        preprocessing={key: list(value) if isinstance(value, tuple) else value for key, value in config.items()},
        model_args=options,
        construction=construction | ({} if layer is None else {"classifier": layer}),
    )


def check_model_args(model_args: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the arguments that a network is created with.

    Raises
    ------
    InputError
        If they are no names with values that JSON holds: features are kept by them.
    """
    options = {} if model_args is None else model_args
    if isinstance(options, Mapping) and all(isinstance(name, str) for name in options):
        with suppress(TypeError, ValueError):
            json.dumps(dict(options))
            return dict(options)
    raise InputError(
        f"expected model_args as a dict of names and plain values, got {options!r}; write it as {{'pad_type': 'same'}}"
    )


def _built(
    model: str, *, pretrained: bool, options: dict[str, Any], own: Mapping[str, Any]
) -> tuple[nn.Module, dict[str, Any], dict[str, object]]:
    """Return the network, its preprocessing as a timm data config, and what its features depend on besides."""
    if model.startswith(_torchvision.PREFIX):
        return *_torchvision.build(model, pretrained=pretrained, options=options), {}
    if not _factory.is_factory(model):
        return *_timm.build(model, pretrained=pretrained, options=options), {}
    if missing := [key for key in REQUIRED if key not in own]:
        raise InputError(
            f"expected {', '.join(REQUIRED)} in the preprocessing of {model!r}, which only you know, but it lacks "
            f"{', '.join(missing)}; give all three"
        )
    module = _factory.build(model, options=options)
    config = {"interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "center"}
    return module, config, {"source": _factory.source_digest(model), "structure": structure_digest(module)}
