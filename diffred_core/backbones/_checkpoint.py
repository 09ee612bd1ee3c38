"""Weights from a file into a network: read without running any code of it, and every tensor in its place."""

from __future__ import annotations

import argparse
import pickle
import re
import zipfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from diffred_core.backbones import _formats
from diffred_core.backbones._heads import Head, classes_of, remove_head, set_classes, under
from diffred_core.errors import InputError

UNREADABLE = (SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, OSError, ValueError)


def check_checkpoint(path: Path | str) -> Path:
    """Return `path` with the home folder in full, or say that there is no such file and where to get it."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(
            f"expected a checkpoint file, but there is none at {str(path)!r}; {_formats.whereabouts(path)}"
        )
    return path


def read_state(path: Path | str) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors``, ``.pth``, ``.pt``, ``.ckpt`` or ``.bin`` file by name.

    A training checkpoint is unwrapped (`_formats.WRAPPERS`). Nothing in it is ever run.

    Raises
    ------
    InputError
        If there is no such file, it is cut short, or holds objects besides tensors.
    """
    path = check_checkpoint(path)
    try:
        return _unwrapped(load_file(path) if path.suffix == ".safetensors" else _weights_only(path))
    except UNREADABLE as error:
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        if pickled := re.search(r"(?:GLOBAL|class|type) ['`]?([\w.]+)", str(error)):
            raise InputError(
                f"expected tensors alone in {str(path)!r}, got objects of {pickled[1]!r} too, which cannot be read "
                "without running code of theirs; where you trust the file, save its state_dict as .safetensors once "
                "and name that"
            ) from error
        raise InputError(
            f"expected a whole .safetensors or weights-only .pth checkpoint, but {str(path)!r} cannot be read "
            f"({reason}); copy it again or save its state_dict as .safetensors"
        ) from error


def _weights_only(path: Path) -> object:
    # The options of a training run, as DINO keeps them beside the weights: names and values, no code.
    with torch.serialization.safe_globals([argparse.Namespace]):
        loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    return loaded


def _unwrapped(loaded: object) -> dict[str, Tensor]:
    for key in _formats.WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise RuntimeError("it holds no plain state_dict")
    return dict(loaded)


def load_checkpoint(module: nn.Module, path: Path | str, *, name: str, head: Head) -> None:
    """Fill `module` with the checkpoint at `path`: every tensor of its trunk, and the `head` if there is one for it.

    A head for other classes makes the network one of so many classes; one of another kind is left out, and so is the
    network's own where the file has none.

    Raises
    ------
    InputError
        As `read_state`; if tensors of the trunk are missing, of another shape, or none of its own.
    """
    expected = module.state_dict()
    state = _formats.renamed(read_state(path), [key for key in expected if not under(key, head)])
    _formats.blur_as(module, state)
    expected = module.state_dict()
    own_head, head_state = (_part(tensors, head) for tensors in (expected, state))
    trunk = {key: tensor for key, tensor in state.items() if key not in head_state}
    _check_trunk(trunk, {key: one for key, one in expected.items() if key not in own_head}, name=name, path=path)
    n_classes = classes_of(head_state, own_head)
    if n_classes is None:
        remove_head(module, head)
        head_state = {}
    elif n_classes != classes_of(own_head, own_head):
        set_classes(module, head, n_classes)
    module.load_state_dict({**trunk, **head_state}, strict=True)


def _part(tensors: Mapping[str, Tensor], head: Head) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in tensors.items() if under(key, head)}


def _check_trunk(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, name: str, path: Path | str) -> None:
    shapes = [
        f"{key} {tuple(state[key].shape)} for {tuple(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    problems = {
        "missing": [key for key in expected if key not in state],
        "unexpected": [key for key in state if key not in expected],
        "of another shape": shapes,
    }
    if any(problems.values()):
        misfits = "; ".join(f"{len(keys)} {what} ({_first(keys)})" for what, keys in problems.items() if keys)
        raise InputError(
            f"expected the tensors of model {name!r} in {str(path)!r}, got {misfits}; name the model that the "
            "checkpoint was trained as, with the model_args that it was created with"
        )


def _first(keys: list[str]) -> str:
    return ", ".join(islice(keys, 3)) + (", ..." if len(keys) > 3 else "")
