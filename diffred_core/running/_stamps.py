"""Stamps: what Snakemake sees of a finished job, a list of the files it made with their digests.

Snakemake removes the declared outputs of a job before it runs and when it fails. So it is shown stamps only, and
notebooks, tables, records and features stay where they are whatever happens. Equal results give equal stamps, and
a stamp whose files are gone or changed is dropped before the next run, which then makes them again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from diffred_core import files
from diffred_core.errors import InputError
from diffred_core.running.records import read_record


def write_stamp(stamp: Path | str, outputs: Iterable[Path], *, record: Path | None = None) -> Path:
    """Write the stamp of a job that has made the files `outputs`, and the `record` if it ran a notebook.

    Of the record the stamp has the name alone, since its times differ each run; the files it lists count all the same.
    """
    root = files.runs_root()
    made = {os.path.relpath(path, root): files.sha256(path) for path in outputs}
    return files.write_sealed(stamp, {"files": made, "record": record and os.path.relpath(record, root)})


def holds(stamp: Path) -> bool:
    """Return whether `stamp` is whole, and every file of it and of its record is there and as it was."""
    content, root = files.read_sealed(stamp), files.runs_root()
    if content is None or "files" not in content:  # cut short by a loss of power
        return False
    try:
        listed = (read_record(root / content["record"]).outputs or {}) if content["record"] else {}
    except InputError:
        return False
    return not files.changed(listed | content["files"], root)


def drop_broken_stamps() -> list[Path]:
    """Remove every stamp that does not hold any more, and return those removed."""
    broken = [stamp for stamp in sorted((files.runs_root() / "stamps").rglob("*.json")) if not holds(stamp)]
    for stamp in broken:
        stamp.unlink(missing_ok=True)  # another process may have been quicker
    return broken
