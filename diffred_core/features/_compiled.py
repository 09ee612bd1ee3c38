"""The network as OpenVINO takes it, kept on disk: what is kept needs neither timm nor a trace of the network."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from diffred_core import files
from diffred_core.backbones import Backbone
from diffred_core.features import _engine
from diffred_core.features._layers import LayerFeatures
from diffred_core.features._request import Request

PACKAGES = ("openvino", "torch", "timm")


def openvino_model(request: Request, layers: tuple[str, ...], pool: str, *, root: Path) -> Any:
    """Return the OpenVINO model of a request, converted once and read again from ``<root>/.networks``.

    A network at hand is converted anew: no digest sees the code of its forward pass.
    """
    if isinstance(request.model, Backbone):
        return _converted(request, layers, pool)
    asked = [request.identity(root), request.input_size, layers, pool, [version(name) for name in PACKAGES]]
    folder = root / ".networks" / hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    if _is_whole(folder):
        import openvino

        return openvino.Core().read_model(folder / "model.xml")
    model = _converted(request, layers, pool)
    with suppress(OSError, RuntimeError):  # a full disk: the shards will say so
        _write(model, folder)
    return model


def _converted(request: Request, layers: tuple[str, ...], pool: str) -> Any:
    return _engine.converted(LayerFeatures(request.backbone, layers, pool=pool).eval(), size=request.input_size)


def _write(model: Any, folder: Path) -> None:
    """Write the model and then its digests, so that a part of it is never taken for the whole."""
    import openvino

    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    part.mkdir(parents=True, exist_ok=True)
    openvino.save_model(model, part / "model.xml", compress_to_fp16=False)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("model.bin", "model.xml"):
        os.replace(part / name, folder / name)
    shutil.rmtree(part)
    files.write_json(folder / "digests.json", _digests(folder))


def _is_whole(folder: Path) -> bool:
    try:
        written: dict[str, str] = json.loads((folder / "digests.json").read_text(encoding="utf-8"))
        return written == _digests(folder)
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    return {name: files.sha256(folder / name) for name in ("model.xml", "model.bin")}
