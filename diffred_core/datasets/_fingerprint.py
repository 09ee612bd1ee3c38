"""A digest of every image that does not depend on where it lies, remembered while nothing changes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from diffred_core import files
from diffred_core.errors import InputError


def of_parts(images: Iterable[bytes | memoryview]) -> tuple[str, ...]:
    """Return the SHA-256 of every image's bytes, in order."""
    return tuple(hashlib.sha256(image).hexdigest() for image in images)


def of_files(images: Sequence[Path]) -> tuple[str, ...]:
    """Return `of_parts` of the files' bytes, read once and again only after a file has changed.

    The remembered digests lie under ``runs/fingerprints`` by the path, size and time of every file; where there
    is no ``runs/`` folder nothing is remembered.
    """
    memory = _memory(images)
    if memory and memory.is_file():
        return tuple(memory.read_text(encoding="utf-8").split())
    digests = of_parts(path.read_bytes() for path in images)
    if memory:
        files.write_text(memory, "\n".join(digests) + "\n")
    return digests


def _memory(images: Sequence[Path]) -> Path | None:
    try:
        root = files.runs_root()
    except InputError:
        return None
    seen = [(str(path), stat.st_size, stat.st_mtime_ns) for path in images for stat in [os.stat(path)]]
    key = hashlib.sha256(json.dumps(["digests", seen]).encode()).hexdigest()
    return root / "fingerprints" / f"{key}.txt"
