"""Where the project keeps its files, how they are written (whole or not at all), and their digests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from diffred_core.errors import InputError

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


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder at or above `start` that holds ``_config.yml`` and ``notebooks/``."""
    here = (start or Path.cwd()).resolve()
    if (checkout := _checkout(here)) is None:
        raise InputError(
            f"expected to run inside a checkout of the book (a folder with _config.yml and notebooks/), but {here} "
            "is not in one; change folder"
        )
    return checkout


def working_root() -> Path:
    """Return the checkout that the working folder is in, else the working folder: where notebooks run."""
    here = Path.cwd()
    return _checkout(here) or here


def _checkout(here: Path) -> Path | None:
    folders = (here, *here.parents)
    return next((f for f in folders if (f / "_config.yml").is_file() and (f / "notebooks").is_dir()), None)


def runs_root() -> Path:
    """Return the folder of everything generated: ``$DIFFRED_RUNS``, else ``runs/`` under `working_root`."""
    chosen = os.environ.get("DIFFRED_RUNS")
    return Path(chosen).expanduser().resolve() if chosen else working_root() / "runs"


def data_root() -> Path:
    """Return where downloaded data lie: ``$DIFFRED_DATA``, else ``data`` under `runs_root`."""
    chosen = os.environ.get("DIFFRED_DATA")
    return Path(chosen).expanduser().resolve() if chosen else runs_root() / "data"


def slug(name: str) -> str:
    """Return `name` as one safe file name: every character outside ``[A-Za-z0-9._-]`` becomes a hyphen."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "unnamed"


SUMMARY = "summary"  # stands for task and model of an analysis that reads all of them


def table_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/tables/<task>/<model>/<analysis>.csv``, each name slugged."""
    return _location("tables", task, model, analysis, ".csv")


def table_files(task: str, model: str, analysis: str) -> list[Path]:
    """Return the files that a run may write: its table, the table's provenance, and episodes drawn for it."""
    table = table_path(task, model, analysis)
    return [table, table.with_suffix(".provenance.json"), table.with_suffix(".episodes.csv")]


def notebook_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/notebooks/<task>/<model>/<analysis>.ipynb``, each name slugged."""
    return _location("notebooks", task, model, analysis, ".ipynb")


def record_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/records/<task>/<model>/<analysis>.json``, each name slugged."""
    return _location("records", task, model, analysis, ".json")


def stamp_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/stamps/<task>/<model>/<analysis>.json``, each name slugged."""
    return _location("stamps", task, model, analysis, ".json")


def templates_root() -> Path:
    """Return the folder of the notebooks: that of the checkout, outside of one that of the installed package."""
    if checkout := _checkout(Path.cwd()):
        return checkout / "notebooks"
    package = Path(__file__).parent
    installed = package / "notebooks"  # put there when a wheel is built; an editable install has them beside it
    return installed if installed.is_dir() else package.with_name("notebooks")


def template_path(analysis: str) -> Path:
    """Return the notebook ``<analysis>.ipynb`` in `templates_root`."""
    return templates_root() / f"{analysis}.ipynb"


def _location(kind: str, task: str, model: str, analysis: str, suffix: str) -> Path:
    folder = runs_root() / kind / slug(task) / slug(model)
    return folder / f"{slug(analysis)}{suffix}"
