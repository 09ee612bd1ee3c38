"""The overview of one analysis: what every model and task gave, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from diffred_core import files
from diffred_core.chapters.random_subsets import across_published
from diffred_core.drawing import Answer, counted
from diffred_core.results.readable import readable
from diffred_core.running.notebook_parameters import read_parameters
from diffred_core.staging._answers import answer_of
from diffred_core.staging._figures import draw, heading_over
from diffred_core.staging._heading import heading_of
from diffred_core.staging._markdown import code, option, plain, table
from diffred_core.staging._project import Project
from diffred_core.staging._runs import CellRun
from diffred_core.staging._siblings import reading_links
from diffred_core.staging._tables import table_of

NONE = "–"
FIGURES = {"subset_probes": across_published.by_task}  # what is drawn of all tables of an analysis
Answers = Sequence[tuple[CellRun, Answer | None]]


def overview(runs: Sequence[CellRun], project: Project) -> dict[str, bytes]:
    """Return the page of one analysis from all its runs, and its figure if it has one, by path."""
    analysis = runs[0].cell.analysis
    figure, drawn = _figure([run for run in runs if run.has_page])
    page = project.page(_page(runs, project, figure=figure), f"notebooks/{analysis}.ipynb")
    return {f"results/{analysis}.md": page} | drawn


def _figure(shown: Sequence[CellRun]) -> tuple[str, dict[str, bytes]]:
    """Return the figure of an analysis as it stands in its page, and its file by path; both empty without one."""
    analysis = shown[0].cell.analysis
    if analysis not in FIGURES:
        return "", {}
    once = {(run.cell.task, run.cell.model): run for run in reversed(shown)}  # variants would be taken for draws
    tables = [table_of(run) for run in reversed(once.values())]
    summary = FIGURES[analysis].summary(pd.concat(tables, ignore_index=True))
    if summary.empty:
        return "", {}
    name = f"_generated/overview-{analysis}.png"
    picture, words = draw(FIGURES[analysis], summary)
    heading = heading_over(FIGURES[analysis], summary)
    return f"{heading}```{{image}} ../{name}\n:alt: {option(words)}\n```", {name: picture}


def _page(runs: Sequence[CellRun], project: Project, *, figure: str) -> str:
    shown = [run for run in runs if run.has_page]
    title, question = heading_of(shown[0])
    links = " · ".join(reading_links(project, "../"))
    parts = [
        f"# {title}",
        f"## Findings\n\n{_findings([(run, answer_of(run)) for run in shown])}",
        _without_page(len(runs) - len(shown)),
        figure,
        f":::{{div}} page-links\n{links}\n:::" if links else "",
        question,
        _parameters(shown[0].cell.analysis),
    ]
    return "\n\n".join(part for part in parts if part)


def _findings(answers: Answers) -> str:
    """Return the numbers and verdicts of every model and task, a row each, with links to the pages."""
    present = [answer for _, answer in answers if answer]
    numbers = list(dict.fromkeys(name for answer in present for name in answer.numbers))
    claims = list(dict.fromkeys(claim.name for answer in present for claim in answer.claims))
    rows = []
    for run, answer in answers:
        of_numbers = [_unbroken(answer.numbers.get(name, NONE)) if answer else NONE for name in numbers]
        link, model = f"../{run.cell.page}.ipynb", plain(run.cell.titled(readable(run.cell.model)))
        verdicts = (_verdict(answer, name, link) for name in claims)
        rows.append([plain(readable(run.cell.task)), f"[{model}]({link})", *of_numbers, *verdicts])
    return table(("task", "model", *map(_unbroken, numbers), *map(_unbroken, claims)), rows)


def _unbroken(text: str) -> str:
    """Return running text whose lines never end between a number and its unit."""
    return plain(text).replace(" %", "\N{NO-BREAK SPACE}%")


def _verdict(answer: Answer | None, name: str, link: str) -> str:
    """Return the verdicts on the claims of one name as words of their colours, which lead to the page."""
    claims = [claim for claim in answer.claims if claim.name == name] if answer else []
    words = [f"[[{text}]({link})]{{.verdict .{verdict}}}" for verdict, text in counted(claims).items()]
    return " ".join(words) or NONE


def _without_page(n: int) -> str:
    what = "One more is" if n == 1 else f"{n} more are"
    return f"{what} listed, and not shown: the [grid status](../back/grid-status.md) says why." if n else ""


def _parameters(analysis: str) -> str:
    template = files.template_path(analysis)
    if not template.is_file():
        return ""
    parameters = read_parameters(template).values()
    rows = ((code(p.name), code(p.kind), code(repr(p.default)), plain(p.help)) for p in parameters)
    return f"## Parameters\n\n{table(('name', 'type', 'default', 'meaning'), rows)}\n\n"
