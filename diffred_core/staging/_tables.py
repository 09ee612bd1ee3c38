"""The tables of runs, each read once however many pages are made from it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd

from diffred_core import files, results
from diffred_core.staging._runs import CellRun

State = tuple[str, int, int]
MOST = 1024  # tables that are held at once


def table_of(run: CellRun) -> pd.DataFrame:
    """Return the results table of `run`; what a reader does to it, another does not see.

    Raises
    ------
    InputError
        If there is none, or it breaks the schema.
    """
    return _read(*table_state(run)).copy(deep=False)  # columns are copied when they are written to


def table_state(run: CellRun) -> State:
    """Return where the table of `run` is, and what changes when it is written anew; zeros where there is none."""
    path = files.table_file(files.table_path(*run.cell.place))
    if not path.is_file():
        return str(path), 0, 0
    stat = path.stat()
    return str(path), stat.st_ino, stat.st_mtime_ns


@lru_cache(maxsize=MOST)
def _read(path: str, _inode: int, _written: int) -> pd.DataFrame:
    return results.read(Path(path))
