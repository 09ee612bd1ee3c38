"""How files are written, whole or not at all, and their digests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SEAL = "sha256"  # entry of a sealed file: the digest of the others


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


def write_sealed(path: Path | str, content: Mapping[str, object]) -> Path:
    """Write `content` to `path` as JSON with a digest of its own, by which `read_sealed` knows it again."""
    content = json.loads(json.dumps(content))  # as it will be read: with names that are text, sorted as text
    return write_json(path, {**content, SEAL: _seal(content)})


def read_sealed(path: Path | str) -> dict[str, Any] | None:
    """Return what `write_sealed` wrote to `path`; None where nothing is, or it was cut short, edited or is another."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and content.pop(SEAL, None) == _seal(content) else None


def _seal(content: Mapping[str, object]) -> str:
    return digest(json.dumps(content, sort_keys=True).encode())


def remembered(path: Path | str, make: Callable[[], object]) -> Any:
    """Return the JSON value kept at `path`; where it is missing or damaged, what `make` gives, kept for the next time.

    Where nothing can be written nothing is kept: the value is made every time.
    """
    kept = read_sealed(path)
    if kept is None or "value" not in kept:
        kept = json.loads(json.dumps({"value": make()}))  # the same first and later: lists, not tuples
        with contextlib.suppress(OSError):
            write_sealed(path, kept)
    return kept["value"]


def write_if_changed(path: Path | str, text: str) -> bool:
    """Write `text` to `path` only if it says something else now, and return whether it was written."""
    path = Path(path)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


def digest(content: bytes) -> str:
    """Return the hexadecimal SHA-256 digest of `content`."""
    return hashlib.sha256(content).hexdigest()


def sha256(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 digest of the bytes of the file at `path`."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def changed(digests: Mapping[str, str], root: Path) -> list[str]:
    """Return which files, by names from `root` on, are gone or have another digest than in `digests`."""
    return [name for name, digest in digests.items() if not (root / name).is_file() or sha256(root / name) != digest]


def digest_of(contents: dict[str, bytes]) -> str:
    """Return one SHA-256 digest of names with their bytes, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(contents):
        total.update(f"{name}\0{len(contents[name])}\0".encode())
        total.update(contents[name])
    return total.hexdigest()
