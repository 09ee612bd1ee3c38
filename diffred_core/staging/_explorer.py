"""The page that explores all tables: its data, script and style stand in it, so that it needs no server."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence

import pandas as pd

from diffred_core import files, results
from diffred_core.chapters.random_subsets import across, names
from diffred_core.results import where
from diffred_core.staging._explorer_data import Tables, explorer_data
from diffred_core.staging._figures import draw
from diffred_core.staging._heading import heading_of
from diffred_core.staging._markdown import option
from diffred_core.staging._page import MEASURE
from diffred_core.staging._project import Project
from diffred_core.staging._questions import QUESTIONS, Question, measure_question
from diffred_core.staging._runs import CellRun, by_analysis
from diffred_core.staging._tables import table_of

SOURCES = "explorer/"  # of script and style, in the folder of the hand-written pages; they are no pages themselves
_FENCE = "`" * 8
_NOTHING = "*The grid has not been run for this copy of the book, so there is nothing to explore.*"
_ABOUT = """# Explore and compare

Every table of these pages at one place: choose a question, tasks, methods and models; the slider says how few
dimensions keep a share of the accuracy. *Compare two* sets one model and task against another. The address of the page
holds what you have chosen, so a view can be linked.
"""


def explorer(runs: Sequence[CellRun], project: Project, sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the page that explores the tables of all `runs` with a page, and its figure for readers without scripts.

    Parameters
    ----------
    runs : sequence of CellRun
        Kept tables of a grid that one of them was drawn from are explored too.
    project : Project
    sources : mapping of str to bytes
        The files of script (``.js``, in the order of their names) and style (``.css``).
    """
    tables = {question.analysis: _tables(runs, question.analysis) for question in QUESTIONS.values()}
    tables |= {analysis: _tables(runs, analysis) for analysis in _measures(runs)}
    if not any(tables.values()):
        return {"explorer.md": project.page(f"{_ABOUT}\n{_NOTHING}", "book/explorer")}
    pages = {_key(run): f"{run.cell.page}.html" for run in _plain(runs)}
    figure, drawn = _figure(tables["subset_probes"])
    parts = [_ABOUT, _raw(_widget(explorer_data(tables, pages, _questions(runs, tables)), sources)), *figure]
    return {"explorer.md": project.page("\n\n".join(parts), "book/explorer")} | drawn


def _plain(runs: Sequence[CellRun]) -> list[CellRun]:
    """Return the runs with a page that are one model and task, with the parameters of the grid."""
    return [run for run in runs if run.has_page and not run.cell.is_summary and not run.cell.variant]


def _measures(runs: Sequence[CellRun]) -> dict[str, CellRun]:
    """Return a run of every analysis whose notebook tags a cell as the measure that it adds."""
    return {
        run.cell.analysis: run
        for run in _plain(runs)
        for cell in run.whole[0]["cells"]
        if MEASURE in cell["metadata"].get("tags", ())
    }


def _questions(runs: Sequence[CellRun], tables: Mapping[str, Tables]) -> dict[str, Question]:
    """Return what is asked: of the analyses that the explorer knows, and of those that add a measure."""
    added = {}
    for analysis, run in _measures(runs).items():
        metrics = {metric for table in tables[analysis].values() for metric in table["metric"]}
        added[analysis] = measure_question(analysis, heading_of(run)[0], sorted(metrics))
    return QUESTIONS | added


def _key(run: CellRun) -> tuple[str, str, str]:
    return run.cell.analysis, run.cell.task, run.cell.model


def _tables(runs: Sequence[CellRun], analysis: str) -> Tables:
    """Return the tables of one analysis by task and model: those of the runs, then those that their grids have kept."""
    shown = _plain(runs)
    own = {(run.cell.task, run.cell.model): table_of(run) for run in by_analysis(shown).get(analysis, [])}
    grids = sorted({run.record.kept for run in shown if run.record and run.record.kept})
    there = {tuple(map(files.slug, place)) for place in own}
    kept = [table for grid in grids for table in results.read_all_kept(grid, analysis, but=there).values()]
    return {(str(table["task"].iloc[0]), str(table["model"].iloc[0])): table for table in kept} | own


def _figure(probes: Tables) -> tuple[list[str], dict[str, bytes]]:
    """Return what stands on the page where no script runs, and the file of its figure."""
    measured = [table for table in probes.values() if len(where(table, metric=names.FIRST))]
    if not measured:
        return [], {}
    picture, words = draw(across.needed, across.needed.summary(pd.concat(measured, ignore_index=True)))
    path = "_generated/explorer.png"
    return [f":::{{div}} explorer-static\n```{{image}} {path}\n:alt: {option(words)}\n```\n:::"], {path: picture}


def _widget(data: Mapping[str, object], sources: Mapping[str, bytes]) -> str:
    """Return the HTML of data, style and script; the data packed, since they are ten times as long as the script."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    script = "\n".join(of.decode() for name, of in sorted(sources.items()) if name.endswith(".js"))
    style = "\n".join(of.decode() for name, of in sorted(sources.items()) if name.endswith(".css"))
    return (
        f'<style>\n{style}</style>\n<div id="explorer" hidden></div>\n'
        '<div class="explorer-static"><p>This page needs scripts, and a browser of 2023 or later. Without them: the '
        "figure below, and the overview of every question in the contents.</p></div>\n"
        f'<script type="text/plain" id="explorer-data">{packed}</script>\n'
        f'<script>\n"use strict";\n(() => {{\n{script}}})();\n</script>'
    )


def _raw(html: str) -> str:
    return f"{_FENCE}{{raw}} html\n{html}\n{_FENCE}"
