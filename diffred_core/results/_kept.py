"""Tables that took hours: kept in the checkout as Parquet with what they were made from, compared when made anew."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from diffred_core import files
from diffred_core.errors import InputError
from diffred_core.results._parquet import read_parquet, write_parquet
from diffred_core.results._schema import COLUMNS, check
from diffred_core.results._store import provenance_path, read, read_provenance

MEASURED = ("value", "low", "high", "sd")
CHOSEN = ("l2", "converged")  # what a fit chose: its own result, and no part of what a row is of


def keep(table: Path | str, path: Path | str, *, about: Mapping[str, object] | None = None) -> Path:
    """Keep the results table at `table`, with its provenance, as Parquet at `path`.

    The provenance is written last, sealed, and carries the digest of the Parquet.

    Parameters
    ----------
    table : path
        Of a results table that a run has written.
    path : path
        `files.kept_path` of its grid, task, model and analysis.
    about : mapping, optional
        What the provenance says besides, such as where weights and images come from.

    Raises
    ------
    InputError
        If there is no such table, it is not the one of its provenance, or no commit stands for the code that made it.
    """
    made_by = read_provenance(table)
    if made_by.get("commit") is None or made_by.get("dirty"):
        raise InputError(
            f"expected {table} from a checkout without changes, so that its commit says which code made it, got "
            f"commit {made_by.get('commit')} with changes; commit them and run the grid again"
        )
    path = write_parquet(read(table), path)
    made_by = {name: value for name, value in made_by.items() if name != "table_sha256"} | dict(about or {})
    files.write_sealed(provenance_path(path), {**made_by, "parquet_sha256": files.sha256(path)})
    return path


def read_kept(grid: str, task: str, model: str, analysis: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a kept table and its provenance.

    Parameters
    ----------
    grid : str
        The grid whose tables are kept.
    task, model, analysis : str
        As the book calls them.

    Raises
    ------
    InputError
        If nothing is kept there, or table and provenance are not what was written, do not belong together, are of
        something else, or break the schema.
    """
    return _read(files.kept_path(grid, task, model, analysis), grid)


def read_all_kept(
    grid: str, analysis: str, *, but: Container[tuple[str, ...]] = ()
) -> dict[tuple[str, ...], pd.DataFrame]:
    """Return the kept tables of an analysis by the folders of task and model, those at the places `but` left out."""
    paths = sorted(files.kept_root().glob(f"{files.slug(grid)}/*/*/{files.slug(analysis)}.parquet"))
    return {path.parts[-3:-1]: _read(path, grid)[0] for path in paths if path.parts[-3:-1] not in but}


def _read(path: Path, grid: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    anew = f"make it anew: diffred grid {grid} --until cell, then diffred keep {grid}"
    made_by = files.read_sealed(provenance_path(path))
    if not path.is_file() or made_by is None:
        what = "its provenance is missing or not as it was written" if path.is_file() else "there is none"
        raise InputError(f"expected a kept table at {path}, but {what}; {anew}")
    if made_by.pop("parquet_sha256", None) != files.sha256(path):
        raise InputError(f"expected the table that its provenance describes in {path}, got another; {anew}")
    try:
        table = check(read_parquet(path))
    except InputError as error:
        raise InputError(f"expected a results table in {path}, got one that breaks the schema ({error}); {anew}") from (
            error
        )
    if path.parts[-3:-1] != tuple(map(files.slug, files.labels(made_by.get("parameters") or {}))):
        raise InputError(f"expected the table of {' and '.join(path.parts[-3:-1])} in {path}, got another's; {anew}")
    return table, made_by


def compare(table: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """Return by how much the values of a `table` made anew differ from the `kept` ones, metric by metric.

    Returns
    -------
    DataFrame
        Columns metric, n_rows (in both tables), n_missing (in one of them only), mean_difference and
        greatest_difference: of values up to 1 the absolute difference, of greater ones its share of the kept value.
    """
    keys = [name for name in COLUMNS if name not in (*MEASURED, *CHOSEN)]
    sides = [one.assign(copy=one.groupby(keys, dropna=False).cumcount()) for one in (table, kept)]
    both = sides[0].merge(sides[1], on=[*keys, "copy"], how="outer", suffixes=("", "_kept"), indicator=True)
    difference = (both["value"] - both["value_kept"]).abs() / both["value_kept"].abs().clip(lower=1.0)
    both = both.assign(difference=difference, missing=both["_merge"] != "both")
    by_metric = both.groupby("metric", sort=True)
    return by_metric.agg(
        n_rows=("missing", lambda missing: int((~missing).sum())),
        n_missing=("missing", "sum"),
        mean_difference=("difference", "mean"),
        greatest_difference=("difference", "max"),
    ).reset_index()
