"""The state of every cell of the grid, and what every page of results was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from diffred_core.staging._markdown import plain, table
from diffred_core.staging._project import Project
from diffred_core.staging._runs import CellRun, by_analysis

_BADGES = {"good": "success", "stale": "warning", "failed": "danger", "missing": "light"}
_MEANING = {
    "good": "ran from start to end with the template and the code of this commit",
    "stale": "ran from start to end, but template or code have changed since; the page says so",
    "failed": "the last attempt failed; an earlier good page stays, marked",
    "missing": "in the grid, but not run",
}


def status_page(runs: Sequence[CellRun]) -> str:
    """Return the page that shows the state of every cell of the grid."""
    counts = Counter(run.state for run in runs)
    legend = "\n".join(f"- {_badge(state)} {counts[state]}: {meaning}" for state, meaning in _MEANING.items())
    sections = [f"## {name}\n\n{_states(group)}" for name, group in by_analysis(runs).items()]
    listed = "\n\n".join(sections) or "The grid has no cell yet."
    what = "Every cell of the grid, and every run outside it: what ran, what did not, and why."
    return f"# Grid status\n\n{what}\n\n{legend}\n\n{listed}\n"


def _states(runs: Iterable[CellRun]) -> str:
    return table(("task", "model", "state", "seconds", "note"), map(_state, runs))


def _state(run: CellRun) -> tuple[str, ...]:
    task, model = plain(run.cell.task), plain(run.cell.titled(run.cell.model))
    linked = f"[{model}](../{run.cell.page}.ipynb)" if run.has_page else model
    seconds = f"{run.record.seconds:.1f}" if run.record else ""
    return task, linked, _badge(run.state), seconds, plain(run.reason)


def provenance_table(runs: Sequence[CellRun], project: Project) -> str:
    """Return the table of everything a page of results was made from."""
    rows = [_provenance(run, project) for run in runs if run.has_page]
    if not rows:
        return "No page of results has been made yet.\n"
    return table(("page", "commit", "device", "seconds", "template", "code"), rows) + "\n"


def _provenance(run: CellRun, project: Project) -> tuple[str, ...]:
    record = run.record
    page = f"[{plain(f'{run.cell.analysis}: {run.cell.title}')}](../{run.cell.page}.ipynb)"
    commit = (project.link(record.commit) + ("\\*" if record.dirty else "")) if record.commit else "unknown"
    digests = (f"`{digest[:12]}`" for digest in (record.template_sha256, record.code_sha256))
    return page, commit, plain(record.device or "unknown"), f"{record.seconds:.1f}", *digests


def _badge(state: str) -> str:
    return f"{{bdg-{_BADGES[state]}}}`{state}`"
