"""The whole staged book, first in memory and then on disk: a failure leaves the last one as it was."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from diffred_core import files
from diffred_core.running import Entry
from diffred_core.staging._api import api_pages, public_names
from diffred_core.staging._benchmarks import benchmark_page
from diffred_core.staging._finding import finding
from diffred_core.staging._links import link_names
from diffred_core.staging._names import file_name, page_name
from diffred_core.staging._page import page_title, run_page
from diffred_core.staging._project import Project
from diffred_core.staging._runs import Run, find_runs
from diffred_core.staging._status import overview_page, provenance_table, status_page
from diffred_core.staging._toc import Chapter, fill_toc
from diffred_core.staging._tree import write_tree

Files = dict[str, bytes]


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
    address = project.source("", commit=project.commit).rstrip("/")
    api = api_pages(project.root / "diffred_core", source_url=address)
    staged = {
        **written,
        **_back_matter(project, runs),
        **{f"{name}.md": (text + project.produced_by("diffred_core")).encode() for name, text in api.items()},
        **_run_pages(project, runs),
        **finding([run for run in runs if run.cell.place in places]),
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
            content = (text.rstrip() + project.produced_by(f"book/{name}")).encode()
        staged[name] = content
    return staged


def _back_matter(project: Project, runs: Sequence[Run]) -> Files:
    pages = {
        "back/grid-status.md": (status_page(runs), "workflow/grids"),
    }
    changelog = (project.root / "CHANGELOG.md").read_bytes()
    benchmarks = benchmark_page(project.root)
    pages["back/benchmarks.md"] = (benchmarks.pop("back/benchmarks.md").decode(), "benchmarks")
    fragments = {"_generated/changelog.md": changelog, "_generated/runs.md": provenance_table(runs, project).encode()}
    return (
        benchmarks
        | fragments
        | {name: (text.rstrip() + project.produced_by(source)).encode() for name, (text, source) in pages.items()}
    )


def _run_pages(project: Project, runs: Sequence[Run]) -> Files:
    staged: Files = {}
    for run in runs:
        if run.has_page:
            staged[f"{page_name(run.cell)}.ipynb"] = run_page(run, project)
            staged |= _downloads(run)
    for analysis, group in _pages_by_analysis(runs).items():
        if not group[0].cell.is_summary:
            text = overview_page(group[0], [run for run in runs if run.cell.analysis == analysis])
            staged[f"results/{analysis}.md"] = (text + project.produced_by(f"notebooks/{analysis}.ipynb")).encode()
    return staged | {"downloads/all-results.zip": _archive(staged)}


def _downloads(run: Run) -> Files:
    table = files.table_path(*run.cell.place)
    staged = {file_name(run.cell, ".ipynb"): files.notebook_path(*run.cell.place).read_bytes()}
    return staged | ({file_name(run.cell, ".csv"): table.read_bytes()} if table.is_file() else {})


def _archive(staged: Mapping[str, bytes]) -> bytes:
    """Return the downloads in one archive, with fixed dates, so that equal results make equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(name for name in staged if name.startswith("downloads/")):
            entry = zipfile.ZipInfo(name.removeprefix("downloads/"), date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, staged[name], compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _chapters(runs: Sequence[Run]) -> dict[str, list[Chapter]]:
    chapters: dict[str, list[Chapter]] = {}
    for analysis, group in _pages_by_analysis(runs).items():
        pages = [{"file": page_name(run.cell), "title": page_title(run)} for run in group]
        chapters[analysis] = pages if group[0].cell.is_summary else [{"file": f"results/{analysis}", "sections": pages}]
    return chapters


def _pages_by_analysis(runs: Sequence[Run]) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.has_page:
            groups.setdefault(run.cell.analysis, []).append(run)
    return groups
