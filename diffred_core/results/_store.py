"""Reading and writing the results table as CSV, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from diffred_core import files
from diffred_core.errors import InputError
from diffred_core.results._provenance import provenance_path
from diffred_core.results._schema import TEXT_COLUMNS, check


def write(table: pd.DataFrame, path: Path | str, *, provenance: Mapping[str, object]) -> Path:
    """Write the checked `table` to `path` and its provenance beside it, each by temporary file and rename.

    The provenance is written last and carries the digest of the table, so a table without a matching
    provenance is the trace of an interrupted run.

    Parameters
    ----------
    table : DataFrame
        Rows in the columns of `COLUMNS`.
    path : path
        Where the CSV goes; missing folders are made.
    provenance : mapping
        JSON values, as from `collect_provenance`.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        If the table breaks the schema (nothing is written then).
    """
    path = Path(path)
    files.write_text(path, check(table).to_csv(index=False, lineterminator="\n"))
    files.write_json(provenance_path(path), {**provenance, "table_sha256": files.sha256(path)})
    return path


def read(path: Path | str) -> pd.DataFrame:
    """Return the checked table at `path`.

    Raises
    ------
    InputError
        If there is no such file, or the table breaks the schema.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"expected a results table at {path}, but there is none; run the analysis that writes it first"
        )
    # Only the empty cell is missing: a class may well be called "None" or "NA", and "0" is not 0.0.
    text_types = dict.fromkeys(TEXT_COLUMNS, "string")
    table = pd.read_csv(path, dtype=text_types, keep_default_na=False, na_values=[""])
    try:
        return check(table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_all(root: Path | str | None = None, *, analysis: str) -> pd.DataFrame:
    """Return the tables of one analysis of every task and model as one table, in the order of their paths.

    Parameters
    ----------
    root : path, optional
        Folder with ``<task>/<model>/<analysis>.csv``; by default ``runs/tables``.
    analysis : str
        Name of the analysis, for example ``subset_probes``.

    Raises
    ------
    InputError
        If there is no such table, or one of them breaks the schema.
    """
    folder = Path(root) if root is not None else files.runs_root() / "tables"
    found = sorted(folder.glob(f"*/*/{files.slug(analysis)}.csv"))
    if not found:
        raise InputError(f"expected tables */*/{files.slug(analysis)}.csv under {folder}, got none; run the grid first")
    return pd.concat([read(path) for path in found], ignore_index=True)


def read_provenance(path: Path | str) -> dict[str, object]:
    """Return the provenance of the table at `path`.

    Raises
    ------
    InputError
        If there is none, or if the table is not the one it was written for.
    """
    path = Path(path)
    beside = provenance_path(path)
    if not beside.is_file():
        raise InputError(f"expected the provenance of {path} at {beside}, but there is none; run the analysis again")
    record: dict[str, object] = json.loads(beside.read_text(encoding="utf-8"))
    if record.get("table_sha256") != files.sha256(path):
        raise InputError(f"{path} is not the table that its provenance describes; run the analysis again")
    return record
