"""A network that a function of your own makes: ``package.module:function`` or ``path/to/file.py:function``.

Unlike a file of weights, whose code is never run, this runs the code that it names.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from torch import nn

from diffred_core import files
from diffred_core.errors import InputError, near_names


def is_factory(model: str) -> bool:
    """Return whether `model` names a function: of the names with a colon those that no library has taken."""
    return ":" in model and not model.startswith(("hf-hub:", "local-dir:", "torchvision:"))


def build(model: str, *, options: dict[str, Any]) -> nn.Module:
    """Return what the function `model` makes of the arguments `options`.

    Raises
    ------
    InputError
        If there is no such file, module or function, it does not take the arguments, fails, or returns no module.
    """
    function = _function(model)
    try:
        inspect.signature(function).bind(**options)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"expected model_args that {model!r} takes, got {options} ({error}); see its signature"
        ) from error
    try:
        module = function(**options)
    except Exception as error:  # code of the user's, which may raise anything
        raise InputError(_failed(model, f"with model_args {options}", error)) from error
    if not isinstance(module, nn.Module):
        raise InputError(
            f"expected a torch.nn.Module from {model!r}, got {type(module).__name__}; let it return the network"
        )
    return module


def source_digest(model: str) -> str | None:
    """Return the SHA-256 of the file that the function `model` is in, None where a model is no function or has none."""
    if not is_factory(model):
        return None
    place, _ = _parts(model)
    if _is_path(place):
        return files.sha256(_file(place))
    with _importable(Path.cwd()):
        try:
            spec = find_spec(place)
        except (ImportError, ValueError):
            spec = None
    return files.sha256(spec.origin) if spec and spec.origin and Path(spec.origin).is_file() else None


def _parts(model: str) -> tuple[str, str]:
    place, _, function = model.rpartition(":")
    return place, function


def _is_path(place: str) -> bool:
    return place.endswith(".py")


def _file(place: str) -> Path:
    path = Path(place).expanduser().resolve()
    if not path.is_file():
        raise InputError(f"expected a file of Python at {str(path)!r}, but there is none; check the path")
    return path


def _function(model: str) -> Callable[..., object]:
    place, name = _parts(model)
    try:
        module = _of_file(_file(place)) if _is_path(place) else _of_package(place)
    except InputError:
        raise
    except Exception as error:
        raise InputError(_failed(model, "on import", error)) from error
    function = getattr(module, name, None)
    if not callable(function):
        near = near_names(name, [key for key, one in vars(module).items() if callable(one)])
        what = "there is none" if function is None else f"it is {type(function).__name__}"
        raise InputError(
            f"expected a function {name!r} in {place!r}, but {what}{near}; name one that returns a network"
        )
    return cast(Callable[..., object], function)


def _of_package(place: str) -> ModuleType:
    with _importable(Path.cwd()):
        return importlib.import_module(place)


def _of_file(path: Path) -> ModuleType:
    # A name of its own, so that no file takes the place of a library, nor an edited one that of its earlier self.
    name = f"{path.stem}_{files.sha256(path)[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    assert spec is not None, name  # it ends in .py
    assert spec.loader is not None, name
    module = sys.modules[name] = module_from_spec(spec)
    try:
        with _importable(path.parent):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _failed(model: str, when: str, error: Exception) -> str:
    reason = str(error).strip().splitlines()
    cause = f"{type(error).__name__}: {reason[0].rstrip('.')}" if reason else type(error).__name__
    return f"expected a network from {model!r}, but it failed {when} ({cause}); correct it or the arguments"
