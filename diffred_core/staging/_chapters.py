"""The claims of the chapters of part V: what a paper says, what the runs of this book measured, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from diffred_core.chapters.spectra.claims_across import stem
from diffred_core.drawing import counted
from diffred_core.results import published
from diffred_core.results.claims import Claim
from diffred_core.results.readable import cell_name
from diffred_core.staging._answers import answer_of
from diffred_core.staging._heading import heading_of
from diffred_core.staging._markdown import plain, table
from diffred_core.staging._runs import CellRun, by_analysis

NOT_RUN = "not run here"
MOST_PAGES = 3  # whose evidence stands in the table
COLUMNS = ("claim", "measured here", "verdict", "at full scale")
Judged = Sequence[tuple[CellRun, Claim]]


def chapter_claims(runs: Sequence[CellRun]) -> dict[str, bytes]:
    """Return the table of claims of every chapter of `published.related_claims`, by the path that its page includes.

    Claims are those of the answers of runs that have a page, made anew from their tables.
    """
    shown = by_analysis(run for run in runs if run.has_page)
    listed = published.related_claims()
    judged = {analysis: _judged(shown.get(analysis, [])) for analysis in listed["analysis"].unique() if analysis}
    return {
        f"_generated/chapter-{chapter}.md": f"{_table(rows, judged)}\n\n{_pages(rows, shown)}\n".encode()
        for chapter, rows in listed.groupby("chapter", sort=False)
    }


def _judged(runs: Sequence[CellRun]) -> Judged:
    """Return every claim of the answers of runs of one analysis; a summary's answer holds those of all pages."""
    answers = [(run, answer_of(run)) for run in runs]
    return [(run, claim) for run, answer in answers if answer is not None for claim in answer.claims]


def _table(rows: pd.DataFrame, judged: Mapping[str, Judged]) -> str:
    return table(COLUMNS, (_row(row, judged.get(str(row["analysis"]), ())) for _, row in rows.iterrows()))


def _row(row: pd.Series, judged: Judged) -> list[str]:
    of_row = [(run, claim) for run, claim in judged if not row["judged"] or stem(claim.name).startswith(row["judged"])]
    cited = f"{plain(row['statement'])} {{cite:p}}`{row['papers']}`"
    if not of_row:
        return [cited, NOT_RUN, NOT_RUN, plain(row["at_full_scale"])]
    words = counted(claim for _, claim in of_row)
    verdicts = " ".join(f"[{text}]{{.verdict .{verdict}}}" for verdict, text in words.items())
    return [cited, _measured(of_row), verdicts, plain(row["at_full_scale"])]


def _measured(of_row: Judged) -> str:
    """Return what was measured with the link to its page; of more than a few pages their number and the overview."""
    cells = [run.cell for run, _ in of_row]
    if len(cells) > MOST_PAGES:
        return f"On {len(cells)} pages: [overview](../results/{cells[0].analysis}.md)."
    return " ".join(
        f"{plain(claim.statement[:1].upper() + claim.statement[1:])} {plain(claim.evidence)} "
        f"([{plain(_name(run))}](../{run.cell.page}.ipynb))"
        for run, claim in of_row
    )


def _name(run: CellRun) -> str:
    return heading_of(run)[0] if run.cell.is_summary else cell_name(run.cell.model, run.cell.task)


def _pages(rows: pd.DataFrame, shown: Mapping[str, Sequence[CellRun]]) -> str:
    """Return links to the pages on which the measures of the chapter stand."""
    analyses = dict.fromkeys(["spectra", *rows["analysis"]])
    links = []
    for analysis in analyses:
        if runs := shown.get(analysis, []):
            page = f"{runs[0].cell.page}.ipynb" if runs[0].cell.is_summary else f"results/{analysis}.md"
            links.append(f"[{plain(heading_of(runs[0])[0])}](../{page})")
    return f"Pages: {', '.join(links)}." if links else "No page of this part has been run."
