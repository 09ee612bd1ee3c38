"""An executed notebook as a page: its title, what produced it, its downloads, the command that makes it again."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from diffred_core import files, results
from diffred_core.errors import InputError
from diffred_core.running import GRID, arguments
from diffred_core.running.notebook_parameters import read_parameters
from diffred_core.staging._markdown import code, fenced, plain
from diffred_core.staging._project import Project
from diffred_core.staging._runs import CellRun

Notebook = dict[str, Any]
_HEADING = re.compile(r"\A\s*#\s+(?P<title>.+?)\s*$", re.MULTILINE)
_PARAMETER_TAGS = {"parameters", "injected-parameters"}


def page_title(run: CellRun) -> str:
    """Return how the contents name the page of `run`: the heading of the notebook where there is one page of it."""
    if not run.cell.is_summary:
        return run.cell.title
    return run.cell.titled(heading(run.notebook, name=f"notebooks/{run.record.template}")[0])


def heading(notebook: Notebook, *, name: str) -> tuple[str, str]:
    """Return the title of a notebook and the Markdown that follows it in its first cell."""
    first = notebook["cells"][0]
    text = "".join(first["source"])
    match = _HEADING.search(text) if first["cell_type"] == "markdown" else None
    if match is None:
        raise InputError(
            f"expected {name} to begin with a Markdown cell '# Title', got {text[:40]!r}; "
            "give it one title, the same for every run"
        )
    return match["title"], text[match.end() :].strip()


def run_page(run: CellRun, project: Project) -> bytes:
    """Return the executed notebook of `run` as a page of the book, in nbformat 4 JSON."""
    title, question = heading(run.notebook, name=f"notebooks/{run.record.template}")
    head = {
        "title": f"# {title} {plain(run.cell.titled(''))}"
        if run.cell.is_summary
        else f"# {title}: {plain(run.cell.title)}",
        "question": question,
        "provenance": _provenance(run, project),
    }
    cell = {"cell_type": "markdown", "metadata": {}}
    added = [cell | {"id": name, "source": source} for name, source in head.items() if source]
    kept = ("kernelspec", "language_info")
    page = run.notebook | {
        "cells": [*added, *map(_shown, run.notebook["cells"][1:])],
        "metadata": {key: value for key, value in run.notebook["metadata"].items() if key in kept},
    }
    return (json.dumps(page, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _shown(cell: Notebook) -> Notebook:
    """Return `cell` as the page shows it: without parameters and messages, since the box has both."""
    tags = set(cell["metadata"].get("tags", ()))
    if cell["cell_type"] == "code":
        cell = cell | {"outputs": [output for output in cell["outputs"] if output.get("name") != "stderr"]}
    if tags & _PARAMETER_TAGS:
        cell = cell | {"metadata": cell["metadata"] | {"tags": sorted(tags | {"remove-cell"})}}
    return cell


def _provenance(run: CellRun, project: Project) -> str:
    """Return the box that says what produced the page of `run`, its downloads, and its command."""
    up = "../" * run.cell.page.count("/")
    links = [f"{{download}}`executed notebook <{up}{run.cell.download('.ipynb')}>`"]
    if (table := files.table_file(files.table_path(*run.cell.place))).is_file():
        kind = {".csv": "CSV", ".parquet": "Parquet"}[table.suffix]
        links.insert(0, f"{{download}}`table ({kind}) <{up}{run.cell.download(table.suffix)}>`")
    warning = ""
    if run.state != "good":
        what = "out of date" if run.state == "stale" else "not the last attempt"
        warning = f":::{{warning}}\nThis page is {what}. {plain(run.reason)}\n:::\n\n"
    outputs = [output for cell in run.notebook["cells"] for output in cell.get("outputs", ())]
    messages = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stderr").strip()
    printed = f"\nWarnings and messages of the run:\n\n{fenced(messages, 'text')}\n" if messages else ""
    fields = "\n".join(f":{name}: {value}" for name, value in _facts(run, project).items() if value)
    again, commands = "Make it again", f"$ {_command(run)}"
    if run.record.kept:
        again, commands = "Draw it again, or compute its table anew", f"$ {_command(run, drawn=True)}\n{commands}"
    return (
        f"{warning}{_kept(run)}:::{{admonition}} What produced this page\n:class: note dropdown provenance\n\n"
        f"{fields}\n{printed}:::\n\n"
        f"Download: {', '.join(links)}. {again}:\n\n{fenced(commands, 'console')}"
    )


def _kept(run: CellRun) -> str:
    """Return the sentence about the table of a page that was drawn from a kept one, empty for others."""
    table = files.table_path(*run.cell.place)
    if not run.record.kept or not table.is_file():
        return ""
    made_by = results.read_provenance(table)
    commit, seconds = str(made_by.get("commit"))[:10], made_by.get("wall_seconds")
    of_files = ", ".join(plain(f"{name} ({about})") for name, about in (made_by.get("material") or {}).items())
    return (
        f"Drawn from a table that is kept in the repository: it was computed on {plain(str(made_by['created'])[:10])} "
        f"at commit {code(commit)} in {seconds:.0f} s on {plain(str(made_by.get('machine')))}."
        f"{f' Read were {of_files}.' if of_files else ''}\n\n"
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
    of_grid = (run.record.variant or {}).get(GRID) if run.cell.is_summary else None
    options = [arguments(chosen), *([f"--grid {shlex.quote(str(of_grid))}"] if of_grid else [])]
    options += [f"--kept {shlex.quote(str(run.record.kept))}"] if drawn else []
    return " ".join(["diffred run", run.cell.analysis, *filter(None, options)])
