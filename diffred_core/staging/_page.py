"""An executed notebook as a page: its title and answer, what produced it, its downloads, the command for it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from diffred_core import files, results
from diffred_core.running import arguments
from diffred_core.running.notebook_parameters import read_parameters
from diffred_core.staging._heading import heading_of
from diffred_core.staging._launch import launch, took
from diffred_core.staging._markdown import code, fenced, plain
from diffred_core.staging._pictures import with_files
from diffred_core.staging._project import Project
from diffred_core.staging._runs import CellRun
from diffred_core.staging._siblings import page_links

Notebook = dict[str, Any]
MEASURE = "measure"  # tag of the cell with the function that a notebook adds
_ANSWER = "answer"  # tag of the cell whose output stands under the title
_NOT_SHOWN = {"parameters", "injected-parameters", "write"}


def page_title(run: CellRun) -> str:
    """Return how the contents name the page of `run`: the heading of the notebook where there is one page of it."""
    if not run.cell.is_summary:
        return run.cell.title
    return run.cell.titled(heading_of(run)[0])


def run_page(run: CellRun, runs: Sequence[CellRun], project: Project) -> dict[str, bytes]:
    """Return the executed notebook of `run`, one of `runs`, as a page of the book, and its figures, by path.

    The answer stands under the title, before the question and what produced the page.
    """
    title, question = heading_of(run)
    named = plain(run.cell.title) if not run.cell.is_summary else plain(run.cell.titled(""))
    between = " " if run.cell.is_summary else _between(title)
    before = {"title": f"# {title}{between}{named}", "warning": _warning(run)}
    after = {
        "question": question,
        "links": page_links(run, runs, project),
        "provenance": _provenance(run, project),
    }
    notebook, _ = run.whole
    cells = notebook["cells"][1:]
    kept = ("kernelspec", "language_info")
    page = notebook | {
        "cells": [
            *_markdown_cells(before),
            *(_tagged(cell, "remove-input") for cell in cells if _ANSWER in _tags(cell)),
            *_markdown_cells(after),
            *map(_shown, (cell for cell in cells if _ANSWER not in _tags(cell))),
        ],
        "metadata": {key: value for key, value in notebook["metadata"].items() if key in kept},
    }
    page, figures = with_files(page, run.cell.page)
    text = json.dumps(page, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    return {f"{run.cell.page}.ipynb": text.encode(), **figures}


def _between(title: str) -> str:
    """Return what stands between the title of a notebook and what a page of it is about."""
    return " " if title.endswith("?") else ": "


def _markdown_cells(sources: Mapping[str, str]) -> list[Notebook]:
    cell = {"cell_type": "markdown", "metadata": {}}
    return [cell | {"id": name, "source": source} for name, source in sources.items() if source]


def _shown(cell: Notebook) -> Notebook:
    """Return `cell` as the page shows it: code folded, without parameters, messages and the writing of the table.

    The measure that a notebook adds is not folded, for its page is about that code.
    """
    if cell["cell_type"] != "code":
        return cell
    if MEASURE in _tags(cell):
        return _tagged(cell, MEASURE)
    return _tagged(cell, "remove-cell" if _tags(cell) & _NOT_SHOWN else "hide-input")


def _tagged(cell: Notebook, tag: str) -> Notebook:
    outputs = [output for output in cell["outputs"] if output.get("name") != "stderr"]  # the box has them
    return cell | {"outputs": outputs, "metadata": cell["metadata"] | {"tags": sorted(_tags(cell) | {tag})}}


def _tags(cell: Notebook) -> set[str]:
    return set(cell["metadata"].get("tags", ()))


def _warning(run: CellRun) -> str:
    if run.state == "good":
        return ""
    what = "out of date" if run.state == "stale" else "not the last attempt"
    return f":::{{warning}}\nThis page is {what}. {plain(run.reason)}\n:::"


def _provenance(run: CellRun, project: Project) -> str:
    """Return the box that says what produced the page of `run`, its downloads, and its command."""
    up = "../" * run.cell.page.count("/")
    notebook, record = run.whole
    links = [f"{{download}}`executed notebook <{up}{run.cell.download('.ipynb')}>`"]
    if (table := files.table_file(files.table_path(*run.cell.place))).is_file():
        kind = {".csv": "CSV", ".parquet": "Parquet"}[table.suffix]
        links.insert(0, f"{{download}}`table ({kind}) <{up}{run.cell.download(table.suffix)}>`")
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    messages = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stderr").strip()
    printed = f"\nWarnings and messages of the run:\n\n{fenced(messages, 'text')}\n" if messages else ""
    fields = "\n".join(f":{name}: {value}" for name, value in _facts(run, project).items() if value)
    again, commands = f"Make it again ({took(record)})", f"$ {_command(run)}"
    if record.kept:
        again, commands = (
            f"Draw it again ({took(record)}), or compute its table anew",
            f"$ {_command(run, drawn=True)}\n{commands}",
        )
    return (
        f"{_kept(run)}:::{{admonition}} What produced this page\n:class: note dropdown provenance\n\n"
        f"{fields}\n{printed}:::\n\n"
        f"Download: {', '.join(links)}. {again}:\n\n{fenced(commands, 'console')}\n\n"
        f"{launch(record, project)}\n\n{_citation(run, project)}"
    )


def _citation(run: CellRun, project: Project) -> str:
    """Return the folded BibTeX entry of the page of `run`."""
    _, record = run.whole
    title, _ = heading_of(run)
    key = re.sub(r"[^A-Za-z0-9]+", "-", run.cell.page.removeprefix("results/")).strip("-")
    fields = {
        "title": f"{{{title}{_between(title)}{run.cell.title}}}",
        "author": "{{The diffred authors}}",
        "year": f"{{{str(record.finished)[:4]}}}",
        "note": f"{{Diffused redundancy, a reproducible companion; commit {str(record.commit)[:12]}}}",
        "url": f"{{{project.site}{run.cell.page}.html}}",
    }
    entry = ",\n".join(f"  {name:<6} = {value}" for name, value in fields.items())
    bibtex = fenced(f"@misc{{diffred-{key},\n{entry}\n}}", "bibtex")
    return f":::{{admonition}} Cite this page\n:class: note dropdown\n\n{bibtex}\n:::"


def _kept(run: CellRun) -> str:
    """Return the sentence about the table of a page that was drawn from a kept one, empty for others."""
    table = files.table_file(files.table_path(*run.cell.place))
    if not run.record.kept or not table.is_file():
        return ""
    made_by = results.read_provenance(table)
    commit, seconds = str(made_by.get("commit"))[:10], made_by.get("wall_seconds")
    of_files = ", ".join(plain(f"{name} ({about})") for name, about in (made_by.get("material") or {}).items())
    return (
        f"Drawn from a table that is kept in the repository: it was computed on {plain(str(made_by['created'])[:10])} "
        f"at commit {code(commit)} in {seconds:.0f} s on {plain(str(made_by.get('machine')))}."
        f"{f' It was made of {of_files}.' if of_files else ''}\n\n"
    )


def _facts(run: CellRun, project: Project) -> dict[str, str]:
    record, table = run.record, files.table_file(files.table_path(*run.cell.place))
    keys = (results.read_provenance(table).get("feature_keys") or {}) if table.is_file() else {}
    template = f"notebooks/{record.template}"
    return {
        "Template": f"[{template}]({project.source(template, commit=record.commit)})",
        "Commit": project.describe(record.commit, record.dirty),
        "Parameters": ", ".join(code(f"{name} = {value!r}") for name, value in record.parameters.items()),
        "Features": ", ".join(f"{plain(split)} {code(key[:16])}" for split, key in keys.items()),
        "Versions": plain(", ".join(f"{name} {version}" for name, version in record.versions.items())),
        "Device": f"{plain(record.device or 'unknown')}, {record.threads} threads",
        "Precision": code(record.parameters.get("precision") or ""),
        "Time": f"{record.seconds:.1f} s, finished {plain(record.finished)}",
    }


def _command(run: CellRun, *, drawn: bool = False) -> str:
    """Return the command line that makes the page again, without the parameters that have their default.

    A page of a kept table is computed so, unless it is to be `drawn` once more.
    """
    template = files.template_path(run.cell.analysis)
    defaults = {name: p.default for name, p in read_parameters(template).items()} if template.is_file() else {}
    chosen = {
        name: value
        for name, value in run.record.parameters.items()
        if name in ("model", "task") or name not in defaults or value != defaults[name]
    }
    options = [arguments(chosen), *([f"--grid {shlex.quote(run.record.grid)}"] if run.record.grid else [])]
    options += [f"--kept {shlex.quote(str(run.record.kept))}"] if drawn else []
    return " ".join(["diffred run", run.cell.analysis, *filter(None, options)])
