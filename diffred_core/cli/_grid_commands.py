"""Commands over the whole grid: ``grid``, ``status``, and the book made of it, ``stage`` and ``build``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from diffred_core.cli._app import CORES, AsJson, GridName, RunFailure, Stamp, app, show_json, stamp_file
from diffred_core.errors import InputError, near_names
from diffred_core.files import DEFAULT_GRID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from diffred_core.running import Entry
    from diffred_core.staging import CellRun, GridCell

UNTIL = ("features", "cell", "summary", "stage", "book")


@app.command()
def grid(
    name: GridName = DEFAULT_GRID,
    cores: Annotated[int, typer.Option(min=1, help="Jobs at once.")] = CORES,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would run, and why.")] = False,
    profile: Annotated[str, typer.Option(help="Folder in workflow/profiles/: local, slurm.")] = "local",
    until: Annotated[str, typer.Option(help=f"Stop after: {', '.join(UNTIL)}.")] = "book",
) -> None:
    """Run what is missing or stale of a grid, and build the book from it."""
    from diffred_core.running import GridFailure, dry_run_of, run_grid

    if until not in UNTIL:
        raise InputError(f"--until must be one of {', '.join(UNTIL)}, got {until!r}{near_names(until, UNTIL)}")
    try:
        if dry_run:
            typer.echo(dry_run_of(name, profile=profile, until=until))
        else:
            typer.echo(run_grid(name, cores=cores, profile=profile, until=until))
    except GridFailure as failure:
        # Snakemake makes no book of half a grid; its readers want the half that is good, and to see what is not.
        half = until == "book" and failure.rules and failure.rules <= {"features", "cell", "summary"}
        if half:
            where = f"the book has what is good, and its page on the grid what is not: {book_of(name)}"
            raise RunFailure(f"{failure}\n{where}") from failure
        raise RunFailure(str(failure)) from failure


@app.command()
def status(name: GridName = DEFAULT_GRID, as_json: AsJson = False) -> None:
    """Say which runs of a grid are good, stale, failed or missing, and why; exit with 1 if one failed or is missing.

    Runs of its cells with other parameters, which are kept beside them, are listed but not counted.
    """
    from diffred_core.running import read_grid
    from diffred_core.staging import GridCell, find_runs, is_page_of, lost_pages

    entries = {entry.place: entry for entry in read_grid(name).entries()}
    runs = find_runs(entries.values())
    own, lost = [run for run in runs if run.cell.place in entries], lost_pages()
    rows = [(*with_page(verdict(run, entries[run.cell.place]), run.cell, lost), run.cell) for run in own]
    others = [path for path in lost if not any(is_page_of(path, run.cell) for run in runs)]
    rows += [("failed", not_as_written(others), GridCell("book", "book", "book", "book"))] if others else []
    beside = [(run.state, run.reason, run.cell) for run in runs if is_beside(run, entries)]
    counts = Counter(state for state, *_ in rows)
    if as_json:
        show_json([_json_row(*row, own=True) for row in rows] + [_json_row(*row, own=False) for row in beside])
    else:
        for state, reason, cell in sorted([*rows, *beside], key=lambda row: row[-1]):
            name_of_run = f"{cell.analysis}  {cell.task}  {cell.model}  {cell.variant and f'({cell.variant})  '}"
            typer.echo(f"{state:<8}{name_of_run}{reason}".rstrip())
        typer.echo(", ".join(f"{counts[state]} {state}" for state in ("good", "stale", "failed", "missing")))
    if counts["failed"] or counts["missing"]:
        raise typer.Exit(1)


def is_beside(run: CellRun, entries: Mapping[tuple[str, str, str], Entry]) -> bool:
    """Return whether `run` is none of the grid's `entries` but a variant of one of them."""
    cells = {(entry.task, entry.model, entry.analysis) for entry in entries.values()}
    return run.cell.place not in entries and (run.cell.task, run.cell.model, run.cell.analysis) in cells


def _json_row(state: str, reason: str, cell: GridCell, *, own: bool) -> dict[str, object]:
    named = {name: getattr(cell, name) for name in ("task", "model", "analysis", "variant")}
    return {"state": state, "reason": reason, **named, "in_grid": own}


@app.command()
def stage(name: GridName = DEFAULT_GRID, stamp: Stamp = None) -> None:
    """Write the source of the book, runs/book/, from the pages of book/ and the executed notebooks."""
    from diffred_core.running import write_stamp

    source = staged(name)
    typer.echo(str(source))
    if stamp is not None:
        write_stamp(stamp_file(stamp), (path for path in source.rglob("*") if path.is_file()))


@app.command()
def build(stamp: Stamp = None) -> None:
    """Render the staged book into _build/html/; every warning is an error."""
    from diffred_core import files
    from diffred_core.running import write_stamp

    page = built(files.runs_root() / "book")
    typer.echo(str(page))
    if stamp is not None:
        write_stamp(stamp_file(stamp), (path for path in page.parent.rglob("*") if path.is_file()))


def staged(name: str) -> Path:
    """Stage the book of a grid and return its folder."""
    from diffred_core.running import read_grid
    from diffred_core.staging import stage_book

    return stage_book(read_grid(name).entries())


def built(source: Path) -> Path:
    """Render a staged book and return its front page."""
    from diffred_core import files
    from diffred_core.staging import BuildError, build_book

    root = files.project_root()
    try:
        return build_book(source, config=root / "_config.yml", output=root)
    except BuildError as error:
        raise RunFailure(str(error)) from error


def book_of(name: str) -> Path:
    """Stage and render the book of a grid as far as its runs are good; return its front page."""
    return built(staged(name))


def with_page(verdict: tuple[str, str], cell: GridCell, lost: Sequence[str]) -> tuple[str, str]:
    """Return the `verdict` on `cell`, or that of its good run a page in the book is `lost`."""
    from diffred_core.staging import is_page_of

    pages = [path for path in lost if is_page_of(path, cell)]
    return ("failed", not_as_written(pages)) if verdict[0] == "good" and pages else verdict


def not_as_written(lost: Sequence[str]) -> str:
    """Return the sentence about files of the book that are gone or edited."""
    more = f" and {len(lost) - 1} more are" if len(lost) > 1 else " is"
    return f"{lost[0]}{more} not as it was written; run the grid again."


def verdict(run: CellRun, entry: Entry) -> tuple[str, str]:
    """Return the state of `run` and why, given what the grid asks for now."""
    from diffred_core.running import conflict, otherwise_recorded

    if run.state != "good":
        return run.state, run.reason
    if reason := conflict(entry.parameters):
        return "stale", f"{reason[:1].upper()}{reason[1:]}."
    if not (other := otherwise_recorded(run.record.parameters, entry.parameters)):
        return "good", ""
    values = ", ".join(f"{name}={entry.parameters[name]!r}" for name in other)
    return "stale", f"The grid asks for {values}."
