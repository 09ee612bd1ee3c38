"""Folders that hold exactly the files of a list, which lies among them: the staged book, and the rendered one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from diffred_core import files
from diffred_core.errors import InputError

MARKER = ".staged"  # the list, with a digest of every file


def write_tree(contents: Mapping[str, bytes], target: Path) -> list[str]:
    """Make `target` hold exactly `contents`; return the relative paths that were written or removed, sorted.

    A file whose bytes are already right keeps its time stamp, so that the next build stays incremental. Each write is a
    rename, so no reader sees half a file. A folder that something else made is refused: it lacks the list.
    """
    if target.is_dir() and any(target.iterdir()) and not (target / MARKER).is_file():
        raise InputError(
            f"expected {target} to be missing, empty or an earlier staged book, but it holds other files; "
            "move it away, or pass another folder as target"
        )
    # The list first: what is interrupted is then known as such, and as ours.
    _write_list(target, {_safe(name): files.digest(content) for name, content in contents.items()})
    changed = [name for name in sorted(contents) if _write(target / name, contents[name])]
    changed += _remove_others(target, {*contents, MARKER})
    return sorted(changed)


def list_tree(folder: Path) -> None:
    """Write the list of the files that lie in `folder` now."""
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    _write_list(folder, {name: files.sha256(folder / name) for name in names if name != MARKER})


def lost_from_tree(folder: Path) -> list[str]:
    """Return which files on the list of `folder` are gone or changed; the list itself, where it is not whole."""
    listed = (files.read_sealed(folder / MARKER) or {}).get("files")
    return [MARKER] if listed is None else files.changed(listed, folder)


def _write_list(folder: Path, digests: Mapping[str, str]) -> None:
    content = {"about": "Made by diffred_core.staging; every change to these files is lost.", "files": digests}
    if files.read_sealed(folder / MARKER) != content:
        files.write_sealed(folder / MARKER, content)


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
    files.write_bytes(path, content)
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
