"""Commands for tables that took hours: ``keep`` those of a grid, ``verify`` some of them by computing them anew."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated

import typer

from diffred_core.cli._app import CORES, GridName, RunFailure, Threads, app
from diffred_core.errors import InputError

if TYPE_CHECKING:
    from diffred_core.running import Entry


@app.command()
def keep(name: GridName = "full") -> None:
    """Keep the tables of the whole runs of a grid in kept/, with their provenance: the book draws pages from them.

    Tables that the grid does not list any more are removed.
    """
    from diffred_core.staging import keep_tables, size_in_mib

    kept, without = keep_tables(name, _cells(name))
    typer.echo(f"{len(kept)} tables are kept, {size_in_mib(kept):.1f} MiB")
    if without:
        lines = [f"  {run.cell.analysis}  {run.cell.title}" for run in without]
        raise RunFailure("\n".join([f"expected a whole run of every cell, got none of {len(lines)}:", *lines]))


@app.command()
def verify(
    name: GridName = "full",
    sample: Annotated[int, typer.Option(min=1, help="How many of the kept tables.")] = 3,
    seed: Annotated[int, typer.Option(help="Which of them.")] = 0,
    tolerance: Annotated[float, typer.Option(min=0, help="Mean difference that a metric may have.")] = 0.005,
    threads: Threads = CORES,
) -> None:
    """Compute a sample of the kept tables of a grid anew, and compare; exit with 1 if one differs by too much.

    Differences are absolute up to values of 1, above that shares of the value.
    """
    from diffred_core.staging import compare_with_kept, kept_path

    kept = [entry for entry in _cells(name) if kept_path(name, entry).is_file()]
    if not kept:
        raise InputError(f"expected kept tables of the grid {name}, got none; run it, then diffred keep {name}")
    differing = []
    for entry in random.Random(seed).sample(kept, min(sample, len(kept))):
        what = f"{entry.analysis}  {entry.task}  {entry.model}"
        comparison = compare_with_kept(name, entry, threads=threads)
        typer.echo(f"{what}\n{comparison.rows}\n")
        if comparison.n_missing or comparison.greatest_mean > tolerance:
            differing.append(what)
    if differing:
        raise RunFailure(
            f"expected equal rows, mean differences of at most {tolerance:g}; others have {', '.join(differing)}"
        )


def _cells(grid: str) -> list[Entry]:
    """Return the runs of a grid that compute a table of one task and model."""
    from diffred_core import files
    from diffred_core.running import read_grid

    return [entry for entry in read_grid(grid).entries() if entry.task != files.SUMMARY and not entry.kept]
