"""Digests of the code that each job of the grid rests on, in files that change only when the code does."""

from __future__ import annotations

from pathlib import Path

from diffred_core import files
from diffred_core.running import sources
from diffred_core.running._grid_definition import FEATURES, Grid

BOOK = "book"  # the digest of the whole package, from which the pages about it are made


def write_digests(grid: Grid) -> None:
    """Write ``runs/digests/<job>.txt`` for every kind of job of `grid`."""
    package = sources.PACKAGE
    digests = {
        analysis: sources.code_digest([files.template_path(analysis)]) for analysis in (*grid.analyses, *grid.after)
    }
    digests[FEATURES] = sources.code_digest(sources.module_files(f"{package.name}.{FEATURES}"))
    digests[BOOK] = sources.code_digest(package.rglob("*.py"))
    for job, digest in digests.items():
        files.write_if_changed(digest_path(job), digest + "\n")


def digest_path(job: str) -> Path:
    """Return ``runs/digests/<job>.txt``."""
    return files.runs_root() / "digests" / f"{job}.txt"
