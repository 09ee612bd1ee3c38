"""Stamps: what Snakemake sees of a finished job, a list of the files it made with their digests.

Snakemake removes the declared outputs of a job before it runs and when it fails. So it is shown stamps only, and
notebooks, tables, records and features stay where they are whatever happens. Equal results give equal stamps, and
a stamp whose files are gone or changed is dropped before the next run, which then makes them again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from diffred_core import files


def write_stamp(stamp: Path | str, outputs: Iterable[Path]) -> Path:
    """Write the stamp of a job that has made the files `outputs`."""
    root = files.runs_root()
    return files.write_json(stamp, {os.path.relpath(path, root): files.sha256(path) for path in outputs})


def holds(stamp: Path) -> bool:
    """Return whether `stamp` is whole, and every file of it is there and as it was."""
    try:
        named: Mapping[str, str] = dict(json.loads(stamp.read_text(encoding="utf-8")))
    except (TypeError, ValueError):  # cut short by a loss of power
        return False
    root = files.runs_root()
    return all((root / name).is_file() and files.sha256(root / name) == digest for name, digest in named.items())


def drop_broken_stamps() -> list[Path]:
    """Remove every stamp that does not hold any more, and return those removed."""
    broken = [stamp for stamp in sorted((files.runs_root() / "stamps").rglob("*.json")) if not holds(stamp)]
    for stamp in broken:
        stamp.unlink()
    return broken
