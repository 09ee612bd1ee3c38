"""The line of links on a page of results: its overview, its neighbours, and how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import yaml

from diffred_core.results.readable import readable
from diffred_core.staging._heading import heading_of
from diffred_core.staging._markdown import plain
from diffred_core.staging._project import Project
from diffred_core.staging._runs import CellRun

READ = {
    "explorer": "Explore and compare",
    "start/how-to-read": "How to read",
    "back/tasks-and-networks": "Tasks and networks",
    "back/methods": "Methods",
    "back/glossary": "Glossary",
    "back/published": "Published beside measured",
    "back/limitations": "Limitations",
}


def page_links(run: CellRun, runs: Sequence[CellRun], project: Project) -> str:
    """Return the links of the page of `run`, one of `runs`; of what the book does not have there is none."""
    up, shown = "../" * run.cell.page.count("/"), [other for other in runs if other.has_page]
    parts = [*_of_part(run, shown, project, up), *([] if run.cell.is_summary else _within_results(run, shown, up))]
    read = reading_links(project, up)
    return f":::{{div}} page-links\n{' · '.join([*parts, *read])}\n:::" if parts or read else ""


def reading_links(project: Project, up: str) -> list[str]:
    """Return the links to the pages that help to read any other."""
    return [
        f"[{words}]({up}{page}.md)" for page, words in READ.items() if (project.root / "book" / f"{page}.md").is_file()
    ]


def _of_part(run: CellRun, shown: Sequence[CellRun], project: Project, up: str) -> list[str]:
    """Return the summaries in the same part of the book, and on the page of a summary its other overviews too."""
    toc = yaml.safe_load((project.root / "book" / "_toc.yml").read_text(encoding="utf-8"))
    listed = [part["analyses"] for part in toc["parts"] if run.cell.analysis in part.get("analyses", ())]
    first = {other.cell.analysis: other for other in reversed(shown) if other.cell.analysis != run.cell.analysis}
    others = [first[name] for part in listed for name in part if name in first]
    links = [
        f"[{plain(heading_of(other)[0])}]({up}results/{other.cell.analysis}.md)"
        if not other.cell.is_summary
        else _link(other, heading_of(other)[0], up)
        for other in others
        if run.cell.is_summary or other.cell.is_summary
    ]
    return [f"All models and tasks: {', '.join(links)}"] if links else []


def _within_results(run: CellRun, shown: Sequence[CellRun], up: str) -> list[str]:
    cell = run.cell
    same = [other for other in shown if (other.cell.task, other.cell.model) == (cell.task, cell.model)]
    others = [_link(other, heading_of(other)[0], up) for other in same if other.cell.analysis != cell.analysis]
    parts = [f"Overview: [{plain(heading_of(run)[0])}]({up}results/{cell.analysis}.md)"]
    parts += [f"Same model and task: {', '.join(others)}"] if others else []
    of_analysis = [other for other in shown if other.cell.analysis == cell.analysis and not other.cell.variant]
    for words, kept, changed in (("Same model", "model", "task"), ("Same task", "task", "model")):
        alike = [other for other in of_analysis if getattr(other.cell, kept) == getattr(cell, kept)]
        if steps := _steps(run, sorted(alike, key=attrgetter(f"cell.{changed}")), changed, up):
            parts.append(f"{words}: {steps}")
    return parts


def _steps(run: CellRun, alike: Sequence[CellRun], changed: str, up: str) -> str:
    """Return links to the page before and the one after; none for a run that is not in the row."""
    places = [other.cell for other in alike]
    if run.cell not in places:
        return ""
    here = places.index(run.cell)
    before, after = alike[here - 1 : here] if here else [], alike[here + 1 : here + 2]
    steps = [_link(other, f"← {readable(getattr(other.cell, changed))}", up) for other in before]
    steps += [_link(other, f"{readable(getattr(other.cell, changed))} →", up) for other in after]
    return ", ".join(steps)


def _link(run: CellRun, words: str, up: str) -> str:
    return f"[{plain(words)}]({up}{run.cell.page}.ipynb)"
