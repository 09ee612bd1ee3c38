"""Where generated things live: one folder, ``runs/``, unless the caller says otherwise."""

from __future__ import annotations

import os
import re
from pathlib import Path

from diffred_core.errors import InputError


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder at or above `start` that holds ``_config.yml`` and ``notebooks/``."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "_config.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise InputError(
        f"expected to run inside a checkout of the book (a folder with _config.yml and notebooks/), but {here} "
        "is not in one; change folder, or set DIFFRED_RUNS to the folder that shall hold the results"
    )


def runs_root() -> Path:
    """Return the folder of everything generated: ``$DIFFRED_RUNS``, else ``runs/`` of the checkout."""
    chosen = os.environ.get("DIFFRED_RUNS")
    return Path(chosen).expanduser().resolve() if chosen else project_root() / "runs"


def data_root() -> Path:
    """Return where downloaded data lie: ``$DIFFRED_DATA``, else ``data`` under `runs_root`."""
    chosen = os.environ.get("DIFFRED_DATA")
    return Path(chosen).expanduser().resolve() if chosen else runs_root() / "data"


def slug(name: str) -> str:
    """Return `name` as one safe file name: every character outside ``[A-Za-z0-9._-]`` becomes a hyphen."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "unnamed"
