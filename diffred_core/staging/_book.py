"""The whole staged book, first in memory and then on disk: a failure leaves the last one as it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from diffred_core import files
from diffred_core.running import Entry
from diffred_core.staging._api import api_pages, public_names
from diffred_core.staging._archive import archive
from diffred_core.staging._audits import audits
from diffred_core.staging._cards import cards
from diffred_core.staging._chapters import chapter_claims
from diffred_core.staging._explorer import SOURCES, explorer
from diffred_core.staging._figures import benchmarks
from diffred_core.staging._front import front_page
from diffred_core.staging._links import link_names
from diffred_core.staging._measured import tables_of
from diffred_core.staging._overview import overview
from diffred_core.staging._page import page_title, run_page
from diffred_core.staging._pictures import FOLDER
from diffred_core.staging._project import Project
from diffred_core.staging._published import published_page
from diffred_core.staging._runs import CellRun, by_analysis, find_runs
from diffred_core.staging._status import provenance_table, status_page
from diffred_core.staging._toc import Chapter, fill_toc
from diffred_core.staging._tree import write_tree
from diffred_core.staging._walk import examples

Files = dict[str, bytes]
PUBLISHED = "back/published.md"  # the page whose fragments are made from all tables


def stage_book(entries: Iterable[Entry], *, root: Path | None = None, target: Path | None = None) -> Path:
    """Write the source of the book: hand-written pages, executed notebooks, generated fragments.

    Only files whose content differs are touched, and pages that no longer exist are removed. Nothing is written
    before everything is made, so an error leaves the last staged book as it was.

    Parameters
    ----------
    entries : iterable of Entry
        The grid, as from ``read_grid(name).entries()``. Runs on disk outside the grid get their pages too.
    root : Path, optional
        The checkout; by default the one around the working directory.
    target : Path, optional
        By default ``runs/book``.

    Returns
    -------
    Path
        `target`, ready for ``jupyter-book build``.

    Raises
    ------
    InputError
        If a hand-written page names a function that does not exist, an analysis stands in no part of
        ``book/_toc.yml``, or `target` holds something else.
    """
    project = Project.of(root or files.project_root())
    entries = list(entries)
    runs, places = find_runs(entries), {entry.place for entry in entries}
    written = _hand_written(project)
    template = written.pop("_toc.yml").decode()
    sources = {name: written.pop(name) for name in list(written) if name.startswith(SOURCES)}
    address = project.source("", commit=project.commit).rstrip("/")
    api = api_pages(project.root / "diffred_core", source_url=address)
    staged = {
        **written,
        **_back_matter(project, runs),
        **{f"{name}.md": project.page(text, "diffred_core") for name, text in api.items()},
        **_results(project, runs),
        **cards(runs),
        **explorer(runs, project, sources),
        **chapter_claims(runs),
        **examples(runs),
        **(_published(runs) if PUBLISHED in written else {}),
        **front_page([run for run in runs if run.cell.place in places]),
        "_toc.yml": fill_toc(template, _chapters(runs), api=[name for name in api if name != "back/api"]).encode(),
    }
    target = target or files.runs_root() / "book"
    write_tree(staged, target)
    return target


def _hand_written(project: Project) -> Files:
    book, public = project.root / "book", public_names(project.root / "diffred_core")
    staged = {}
    for path in sorted(book.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        name, content = path.relative_to(book).as_posix(), path.read_bytes()
        if path.suffix == ".md":
            text = link_names(content.decode(), public, page=f"book/{name}")
            content = project.page(text.rstrip(), f"book/{name}")
        staged[name] = content
    return staged


def _back_matter(project: Project, runs: Sequence[CellRun]) -> Files:
    measured, staged = benchmarks(project.root / "benchmarks")
    return staged | {
        "back/benchmarks.md": project.page(measured.rstrip(), "benchmarks"),
        "back/grid-status.md": project.page(status_page(runs).rstrip(), "workflow/grids"),
        "_generated/changelog.md": (project.root / "CHANGELOG.md").read_bytes(),
        "_generated/runs.md": provenance_table(runs, project).encode(),
    }


def _published(runs: Sequence[CellRun]) -> Files:
    tables = tables_of(runs)
    return published_page(tables) | audits(tables)


def _results(project: Project, runs: Sequence[CellRun]) -> Files:
    """Return the page of every run with its downloads, an overview of every analysis, and all downloads in one file."""
    staged: Files = {}
    for run in runs:
        if run.has_page:
            staged |= run_page(run, runs, project)
            staged[run.cell.download(".ipynb")] = files.notebook_path(*run.cell.place).read_bytes()
            if (table := files.table_file(files.table_path(*run.cell.place))).is_file():
                staged[run.cell.download(table.suffix)] = table.read_bytes()
    for group in by_analysis(runs).values():
        if any(run.has_page and not run.cell.is_summary for run in group):
            staged |= overview(group, project)
    kinds = ("downloads/", f"{FOLDER}/")  # pictures stand in the notebooks
    packed = [name for name in staged if name.startswith(kinds) and not name.endswith(".png")]
    downloads = {name.split("/", 1)[1]: staged[name] for name in packed}
    return staged | {"downloads/all-results.zip": archive(downloads, runs, project)}


def _chapters(runs: Sequence[CellRun]) -> dict[str, list[Chapter]]:
    chapters: dict[str, list[Chapter]] = {}
    for analysis, group in by_analysis(run for run in runs if run.has_page).items():
        pages = [{"file": run.cell.page, "title": page_title(run)} for run in group]
        chapters[analysis] = pages if group[0].cell.is_summary else [{"file": f"results/{analysis}", "sections": pages}]
    return chapters
