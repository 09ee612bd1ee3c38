"""Tables that took hours: kept for the pages that are drawn from them, and computed anew to compare."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from diffred_core import files, results
from diffred_core.running import Entry, materials_of, run_notebook
from diffred_core.staging._runs import CellRun, find_runs


class Differences(NamedTuple):
    """How a kept table and the same table made anew differ.

    Attributes
    ----------
    rows : str
        The differences by metric, as a table to read.
    greatest_mean : float
        The greatest mean difference of a metric.
    n_missing : int
        Rows that one of the two tables lacks.
    """

    rows: str
    greatest_mean: float
    n_missing: int


def keep_tables(grid: str, entries: Iterable[Entry]) -> tuple[list[Path], list[CellRun]]:
    """Keep the table of every whole run of a grid, and remove kept ones that it does not list any more.

    Returns
    -------
    list of Path, list of CellRun
        The Parquet files, and the runs of which there is none.
    """
    cells = {entry.place: entry for entry in entries}
    runs = [run for run in find_runs(cells.values()) if run.cell.place in cells]
    for run in runs:
        if run.has_page and not run.record.kept:  # what was drawn is kept already
            entry = cells[run.cell.place]
            read = {one.place: f"{one.source}; licence: {one.licence}" for one in materials_of(entry.parameters)}
            results.keep(files.table_path(*entry.place), kept_path(grid, entry), about={"material": read})
    listed = {kept_path(grid, entry) for entry in cells.values()}
    for path in (files.kept_root() / files.slug(grid)).glob("*/*/*.parquet"):
        if path not in listed:
            path.unlink()
            results.provenance_path(path).unlink(missing_ok=True)
    return sorted(path for path in listed if path.is_file()), [run for run in runs if not run.has_page]


def kept_path(grid: str, entry: Entry) -> Path:
    """Return where a grid keeps the table of one of its cells."""
    return files.kept_path(grid, entry.task, entry.model, entry.analysis)


def compare_with_kept(grid: str, entry: Entry, *, threads: int) -> Differences:
    """Compute the table of `entry` in a folder of its own, and compare it with the one that `grid` has kept.

    Features that lie in ``runs/features`` are read. Differences are absolute up to values of 1, above that shares of
    the value.

    Raises
    ------
    InputError
        If nothing is kept, or it is damaged.
    NotebookError
        If the run fails.
    """
    kept, _ = results.read_kept(grid, entry.task, entry.model, entry.analysis)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        run_notebook(
            files.template_path(entry.analysis),
            parameters=entry.parameters,
            output=table.with_suffix(".ipynb"),
            products=[table, results.provenance_path(table)],
            threads=threads,
        )
        compared = results.compare(results.read(table), kept)
    shown = compared.to_string(index=False, float_format=lambda value: f"{value:.2g}")
    return Differences(shown, float(compared["mean_difference"].max()), int(compared["n_missing"].sum()))


def size_in_mib(paths: Sequence[Path]) -> float:
    """Return the size of kept tables with their provenance in MiB."""
    return sum(p.stat().st_size for path in paths for p in (path, results.provenance_path(path))) / 2**20
