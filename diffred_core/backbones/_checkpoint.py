"""Weights from a local file, without running any code from it."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from diffred_core.errors import InputError

_WRAPPERS = ("state_dict_ema", "state_dict", "model_state_dict", "model")


def read_state(path: Path | str) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors``, ``.pth``, ``.pt`` or ``.bin`` file by name.

    A training checkpoint is unwrapped (``state_dict``, ``model``), and the prefix ``module.`` of data-parallel
    training is taken off.

    Raises
    ------
    InputError
        If the file is missing, of another kind, damaged, or holds something other than tensors.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"expected a checkpoint file, but there is none at {str(path)!r}; check the path")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return _unwrapped(torch.load(path, map_location="cpu", weights_only=True))
    except (SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise InputError(
            f"expected a whole .safetensors or weights-only .pth checkpoint, but {str(path)!r} cannot be read "
            f"({reason}); copy it again or save its state_dict as .safetensors"
        ) from error


def load_checkpoint(module: nn.Module, path: Path | str, *, name: str) -> None:
    """Fill `module` with the checkpoint at `path`; every tensor must find its place.

    Raises
    ------
    InputError
        If a tensor is missing, unexpected, or of another shape; the first of them are named.
    """
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
        told = "; ".join(f"{len(keys)} {what} ({_first(keys)})" for what, keys in problems.items() if keys)
        raise InputError(
            f"expected the tensors of model {name!r} in {str(path)!r}, got {told}; name the model that the checkpoint "
            "was trained as"
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
