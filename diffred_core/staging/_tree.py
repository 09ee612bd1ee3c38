"""One folder made equal to a set of files, touching only what differs, so that the next build stays incremental."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from diffred_core.errors import InputError

MARKER = ".staged"


def write_tree(files: Mapping[str, bytes], target: Path) -> list[str]:
    """Make `target` hold exactly `files`; return the relative paths that were written or removed, sorted.

    A file whose bytes are already right keeps its time stamp. Each write is a rename, so no reader sees half a file.
    A folder that something else made is refused: it lacks the marker of a staged book.
    """
    marker = target / MARKER
    if target.is_dir() and any(target.iterdir()) and not marker.is_file():
        raise InputError(
            f"expected {target} to be missing, empty or an earlier staged book, but it holds other files; "
            "pass another folder as target"
        )
    wanted = {**files, MARKER: b"Written by diffred_core.staging; every change here is lost.\n"}
    changed = [name for name in sorted(wanted) if _write(target / _safe(name), wanted[name])]
    changed += _remove_others(target, set(wanted))
    return sorted(name for name in changed if name != MARKER)


def _safe(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"expected a path inside the staged book, got {name!r}; use a relative path without '..'")
    return name


def _write(path: Path, content: bytes) -> bool:
    if path.is_file() and path.read_bytes() == content:
        return False
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    os.replace(part, path)
    return True


def _remove_others(target: Path, wanted: set[str]) -> list[str]:
    removed = []
    for path in sorted(target.rglob("*"), reverse=True):  # deepest first, so that emptied folders go too
        name = path.relative_to(target).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif name not in wanted:
            path.unlink()
            removed.append(name)
    return removed
