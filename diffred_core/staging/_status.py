"""Overviews: one page for each analysis, and the state of every cell of the grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from diffred_core import files
from diffred_core.running.notebook_parameters import Parameter, read_parameters
from diffred_core.staging._names import page_name
from diffred_core.staging._page import heading
from diffred_core.staging._project import Project
from diffred_core.staging._runs import Run

_BADGES = {"good": "success", "stale": "warning", "failed": "danger", "missing": "light"}
_MEANING = {
    "good": "ran from start to end with the template and the code of this commit",
    "stale": "ran from start to end, but template or code have changed since; the page says so",
    "failed": "the last attempt failed; an earlier good page stays, marked",
    "missing": "in the grid, but not run",
}


def overview_page(shown: Run, runs: Sequence[Run]) -> str:
    """Return the page of one analysis: its question, its runs, its parameters.

    Parameters
    ----------
    shown
        A run with a page; its notebook has the question.
    runs
        Every run of the analysis, those without a page too.
    """
    title, question = heading(shown.notebook, name=f"notebooks/{shown.record.template}")
    template = files.template_path(shown.cell.analysis)
    parameters = f"## Parameters\n\n{_parameters(read_parameters(template).values())}\n\n" if template.is_file() else ""
    return f"# {title}\n\n{question}\n\n## Runs\n\n{_table(runs, up='../')}\n\n{parameters}"


def _parameters(parameters: Iterable[Parameter]) -> str:
    rows = [f"| `{p.name}` | `{_cell(p.kind)}` | `{_cell(repr(p.default))}` | {_cell(p.help)} |" for p in parameters]
    return "\n".join(["| name | type | default | meaning |", "|---|---|---|---|", *rows])


def status_page(runs: Sequence[Run]) -> str:
    """Return the page that shows the state of every cell of the grid."""
    counts = Counter(run.state for run in runs)
    legend = "\n".join(f"- {_badge(state)} {counts[state]}: {meaning}" for state, meaning in _MEANING.items())
    sections = [f"## {name}\n\n{_table(group, up='../')}" for name, group in _by_analysis(runs).items()]
    listed = "\n\n".join(sections) or "The grid has no cell yet."
    return f"# Grid status\n\nEvery cell of the grid: what ran, what did not, and why.\n\n{legend}\n\n{listed}\n"


def _by_analysis(runs: Sequence[Run]) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.cell.analysis, []).append(run)
    return groups


def _table(runs: Sequence[Run], *, up: str) -> str:
    rows = [_row(run, up) for run in runs]
    return "\n".join(["| task | model | state | seconds | note |", "|---|---|---|---|---|", *rows])


def _row(run: Run, up: str) -> str:
    model = f"[{run.cell.model}]({up}{page_name(run.cell)}.ipynb)" if run.has_page else run.cell.model
    seconds = f"{run.record.seconds:.1f}" if run.record else ""
    note = _cell(run.reason).replace("<", r"\<")
    return f"| {run.cell.task} | {model} | {_badge(run.state)} | {seconds} | {note} |"


def provenance_table(runs: Sequence[Run], project: Project) -> str:
    """Return the table of everything a page of results was made from."""
    rows = [_provenance_row(run, project) for run in runs if run.has_page]
    if not rows:
        return "No page of results has been made yet.\n"
    return "\n".join(["| page | commit | device | seconds | template | code |", "|---|---|---|---|---|---|", *rows, ""])


def _provenance_row(run: Run, project: Project) -> str:
    record = run.record
    page = f"[{run.cell.analysis}: {run.cell.title}](../{page_name(run.cell)}.ipynb)"
    digests = f"`{record.template_sha256[:12]}` | `{record.code_sha256[:12]}`"
    commit = (project.link(record.commit) + ("\\*" if record.dirty else "")) if record.commit else "unknown"
    return f"| {page} | {commit} | {record.device or 'unknown'} | {record.seconds:.1f} | {digests} |"


def _cell(text: str) -> str:
    """Return `text` fit for a cell of a table."""
    return text.replace("|", r"\|").replace("\n", " ")


def _badge(state: str) -> str:
    return f"{{bdg-{_BADGES[state]}}}`{state}`"
