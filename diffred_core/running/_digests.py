"""Digests of the code that each job of the grid rests on, and of all that a finished grid was made from."""

from __future__ import annotations

import json
from pathlib import Path

from diffred_core import files
from diffred_core.running import sources
from diffred_core.running._grid_parts import Grid
from diffred_core.running.records import failed_path

BOOK = "book"  # the digest of the whole package, from which the pages about it are made
OUTSIDE = "outside"  # the digest of the runs outside the grid, of which the book has pages too


def write_digests(grid: Grid) -> None:
    """Write ``runs/digests/<job>.txt`` for every kind of job of `grid`."""
    package = sources.PACKAGE
    roots = {analysis: [files.template_path(analysis)] for analysis in (*grid.cell_analyses, *grid.after)}
    roots[BOOK] = list(package.rglob("*.py"))
    for job, paths in roots.items():
        files.write_if_changed(digest_path(job), sources.code_digest(paths) + "\n")
    files.write_if_changed(digest_path(OUTSIDE), _outside_digest(grid) + "\n")


def digest_path(job: str) -> Path:
    """Return ``runs/digests/<job>.txt``."""
    return files.runs_root() / "digests" / f"{job}.txt"


def _outside_digest(grid: Grid) -> str:
    """Return one digest of the records, those of failures too, of runs that `grid` does not list."""
    listed = {files.record_path(*entry.place) for entry in grid.entries()}
    listed |= {failed_path(path) for path in listed}
    records = set((files.runs_root() / "records").glob("*/*/*.json")) - listed
    return files.digest_of({path.relative_to(files.runs_root()).as_posix(): path.read_bytes() for path in records})


def whole_digest(grid: Grid, *, until: str) -> str:
    """Return one digest of all that a run of `grid` rests on and has made: equal digests leave nothing to do.

    It covers what the Snakefile names as inputs (workflow, configuration, hand-written pages, templates, package, kept
    tables, files of embeddings by size and time, records of runs outside the grid) and the stamps, which hold the
    digests of what was made.
    """
    root, runs = files.project_root(), files.runs_root()
    named = [root / "_config.yml", root / "CHANGELOG.md", *(root / "workflow").rglob("*"), *(root / "book").rglob("*")]
    named += [files.template_path(analysis) for analysis in (*grid.cell_analyses, *grid.after)]
    named += [path for name in grid.draws for path in (files.kept_root() / name).rglob("*")]
    contents = {str(path): path.read_bytes() for path in named if path.is_file()}
    contents |= {str(path): path.read_bytes() for path in (runs / "stamps").rglob("*.json")}
    contents["package"] = sources.code_digest(sources.PACKAGE.rglob("*.py")).encode()
    contents["until"] = until.encode()
    contents[OUTSIDE] = _outside_digest(grid).encode()
    for task in {str(entry.parameters.get("task")) for entry in grid.entries()}:
        kind, path, _ = files.split_task(task)
        data = files.resolved(path)
        if kind == "embeddings" and data.is_file():
            contents[task] = json.dumps([data.stat().st_size, data.stat().st_mtime_ns]).encode()
    return files.digest_of(contents)
