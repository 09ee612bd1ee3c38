"""The tables of one analysis over all tasks and models."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from diffred_core import files
from diffred_core.errors import InputError
from diffred_core.results._kept import read_all_kept
from diffred_core.results._store import read


def read_all(root: Path | str | None = None, *, analysis: str) -> pd.DataFrame:
    """Return the tables of one analysis of every task and model as one table, in the order of their paths.

    Variants, runs with other parameters that are kept beside the table of a task and model, are not among them, except
    where `diffred run --grid` has named a grid whose tables they are: these then take the place of the plain ones. The
    kept tables that such a grid draws stand for what has no table in ``runs/tables``.

    Parameters
    ----------
    root : path, optional
        Folder with ``<task>/<model>/<analysis>.csv``, or ``.parquet``; by default ``runs/tables``.
    analysis : str
        Name of the analysis, for example ``subset_probes``.

    Raises
    ------
    InputError
        If there is no such table, or one of them breaks the schema.
    """
    if (table := _whole(analysis, root)) is None:
        folder = Path(root) if root is not None else files.runs_root() / "tables"
        raise InputError(f"expected tables */*/{files.slug(analysis)}.csv under {folder}, got none; run the grid first")
    return table


def _whole(analysis: str, root: Path | str | None) -> pd.DataFrame | None:
    """Return the tables of one analysis below one another, None where there is none."""
    folder = Path(root) if root is not None else files.runs_root() / "tables"
    names = [f"{files.slug(analysis)}{suffix}" for suffix in (".csv", ".parquet")]
    chosen = {path.parts[-3:-1]: path.with_suffix(".csv") for name in names for path in folder.glob(f"*/*/{name}")}
    own = [folder / name for name in _told(files.OWN_TABLES)] if root is None else []
    chosen |= {path.parts[-3:-1]: path for path in own if path.name.startswith(f"{files.slug(analysis)}.")}
    kept = [read_all_kept(grid, analysis, but=chosen) for grid in _told(files.KEPT)] if root is None else []
    tables = {place: read(path) for place, path in chosen.items()}
    tables = {place: table for some in (*kept[::-1], tables) for place, table in some.items()}
    return pd.concat([table for _, table in sorted(tables.items())], ignore_index=True) if tables else None


def read_each(analyses: Sequence[str], root: Path | str | None = None) -> dict[str, pd.DataFrame]:
    """Return `read_all` of several analyses by name; those of which there is no table are left out.

    Raises
    ------
    InputError
        If none of them has a table, or one breaks the schema.
    """
    tables = {analysis: _whole(analysis, root) for analysis in analyses}
    if all(table is None for table in tables.values()):
        raise InputError(f"expected tables of one of {', '.join(analyses)}, got none; run the grid first")
    return {analysis: table for analysis, table in tables.items() if table is not None}


def _told(variable: str) -> list[str]:
    """Return the list that the runner gave its kernel in an environment variable."""
    return list(json.loads(os.environ.get(variable) or "[]"))
