"""A digest of images and labels that does not depend on where they lie, remembered while nothing changes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor

from diffred_core import files
from diffred_core.errors import InputError


def of_parts(images: Iterable[bytes | memoryview], y: Tensor, classes: Sequence[str]) -> str:
    """Return the SHA-256 of every image's bytes, in order, the labels and the class names."""
    total = hashlib.sha256()
    for image in images:
        digest = hashlib.sha256(image).digest()  # of a fixed length, so that no two lists run together
        total.update(digest)
    total.update(json.dumps([y.tolist(), list(classes)]).encode())
    return total.hexdigest()


def of_files(images: Sequence[Path], y: Tensor, classes: Sequence[str]) -> str:
    """Return `of_parts` of the files' bytes, read once and again only after a file has changed.

    The remembered digest lies under ``runs/fingerprints`` by the path, size and time of every file; where there
    is no ``runs/`` folder nothing is remembered.
    """
    memory = _memory(images, y, classes)
    if memory and memory.is_file():
        return memory.read_text(encoding="utf-8").strip()
    found = of_parts((path.read_bytes() for path in images), y, classes)
    if memory:
        files.write_text(memory, found + "\n")
    return found


def _memory(images: Sequence[Path], y: Tensor, classes: Sequence[str]) -> Path | None:
    try:
        root = files.runs_root()
    except InputError:
        return None
    seen = [(str(path), stat.st_size, stat.st_mtime_ns) for path in images for stat in [os.stat(path)]]
    key = hashlib.sha256(json.dumps([seen, y.tolist(), list(classes)]).encode()).hexdigest()
    return root / "fingerprints" / f"{key}.txt"
