"""Files written whole or not at all, and their digests; nothing here knows what the files mean."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path


def write_text(path: Path | str, text: str) -> Path:
    """Write `text` to `path` in UTF-8, whole or not at all; see `write_bytes`."""
    return write_bytes(path, text.encode())


def write_bytes(path: Path | str, content: bytes) -> Path:
    """Write `content` to `path` by temporary file, sync and rename; missing folders are made.

    Returns
    -------
    Path
        `path`. Whoever reads it at any moment sees the old content or the new one, never a part.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Same folder, so that the rename stays on one file system and is atomic.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def write_json(path: Path | str, value: object) -> Path:
    """Write `value` to `path` as indented JSON with sorted keys, whole or not at all."""
    return write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def write_if_changed(path: Path | str, text: str) -> bool:
    """Write `text` to `path` only if it says something else now, and return whether it was written."""
    path = Path(path)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


def sha256(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 digest of the bytes of the file at `path`."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
