"""A small checkout with one notebook and its runs, for the tests of staging and of the rendered book."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import pandas as pd
from PIL import Image

from diffred_core import drawing, files
from diffred_core.drawing import style
from diffred_core.running import Entry, sources
from diffred_core.running.records import Record, read_record

CHECKOUT = Path(__file__).parents[1]
CELL = Entry(analysis="tiny", task="digits", model="a/model")
TOC = """\
format: jb-book
root: index
parts:
  - caption: Start
    chapters:
      - file: start
  - caption: Results
    analyses: [tiny]
  - caption: Back matter
    chapters:
      - file: back/api
      - file: back/grid-status
"""
PARAMETERS = """\
model: str = "a/model"  # frozen network
task: str = "digits"  # data
n_repeats: int = 5  # draws"""
RECORD = Record(
    template="tiny.ipynb",
    parameters={"model": "a/model", "task": "digits", "n_repeats": 3},
    template_sha256="",
    code_sha256="",
    commit="0123456789abcdef0123456789abcdef01234567",
    dirty=True,
    versions={"python": "3.11.9", "torch": "2.15.0"},
    started="2026-01-01T00:00:00+00:00",
    finished="2026-01-01T00:00:07+00:00",
    seconds=7.25,
    threads=2,
    device="cpu",
)


def make_project(root: Path) -> Path:
    """Write a checkout with one template under `root` and return it."""
    for folder in ("book/back", "notebooks", "diffred_core"):
        (root / folder).mkdir(parents=True)
    shutil.copy(CHECKOUT / "_config.yml", root)
    shutil.copy(CHECKOUT / "book" / "search.js", root / "book")
    shutil.copytree(CHECKOUT / "book" / "_static", root / "book" / "_static")
    (root / "book" / "references.bib").write_text("@misc{one, title = {One}, author = {Doe, Jo}, year = {2020}}\n")
    (root / "book" / "_toc.yml").write_text(TOC)
    (root / "book" / "index.md").write_text("# Start page\n\n```{include} _generated/finding.md\n```\n")
    (root / "book" / "start.md").write_text("# How to\n\nUse `plain.double` for $a \\le b$.\n")
    (root / "CHANGELOG.md").write_text("# Changelog\n")
    (root / "diffred_core" / "__init__.py").write_text('"""A package."""\n')
    (root / "diffred_core" / "plain.py").write_text(
        '"""Plain."""\n\n\ndef double(x):\n    """Return twice `x`."""\n    return 2 * x\n'
    )
    (root / "notebooks" / "tiny.ipynb").write_text(json.dumps(_notebook(executed=False)))
    return root


def make_run(cell: Entry = CELL, *, table: bool = True, **changes: object) -> Record:
    """Write notebook, record and, unless one is there, table of a good run of `cell`, and return the record."""
    notebook = files.write_text(files.notebook_path(*cell.place), json.dumps(_notebook(executed=True)))
    path = files.table_path(*cell.place)
    if table:
        files.write_text(path, "a,b\n1,2\n")
        provenance = {"feature_keys": {"train": "f" * 64}, "table_sha256": files.sha256(path)}
        files.write_json(path.with_suffix(".provenance.json"), provenance)
    template = files.template_path(cell.analysis)
    record = replace(
        RECORD,
        template_sha256=files.sha256(template),
        code_sha256=sources.code_digest([template]),
        **changes,
    ).with_outputs(notebook, path)
    record.write(files.record_path(*cell.place))
    return record


def edit_notebook(cell: Entry, edit) -> None:
    """Apply `edit` to the executed notebook of `cell` and write its record anew."""
    path = files.notebook_path(*cell.place)
    notebook = json.loads(path.read_text())
    edit(notebook)
    files.write_text(path, json.dumps(notebook))
    record_file = files.record_path(*cell.place)
    record = read_record(record_file)
    record.with_outputs(path, files.table_path(*cell.place)).write(record_file)


def _notebook(*, executed: bool) -> dict:
    picture = {"image/png": _png(), "text/plain": "<Figure>"}
    metadata = {"mystnb": {"image": {"alt": "A white square."}}}
    code = [
        (PARAMETERS, ["parameters"], None),
        ("plot()", [], {"output_type": "display_data", "data": picture, "metadata": {}}),
        ("show()", [], {"output_type": "execute_result", "data": {"text/html": drawn_figure()}, "metadata": {}}),
    ]
    cells = [_cell("markdown", "# Tiny probes\n\nHow small can it be?", 0)]
    for number, (source, tags, output) in enumerate(code, start=1):
        cell = _cell("code", source, number)
        cell["execution_count"] = number if executed else None
        number_of_result = {"execution_count": number} if output and output["output_type"] == "execute_result" else {}
        cell["outputs"] = [output | number_of_result] if executed and output else []
        cell["metadata"] = {"tags": tags} if tags else metadata
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


@cache
def drawn_figure() -> str:
    """Return a figure as notebooks show it, with its finding and its numbers."""
    figure = drawing.Figure(
        lambda table: table,
        lambda summary: style.finish(style.axes_or_new(None), title="", x="k", y="accuracy"),
        lambda summary: "Empty axes.",
        finding=lambda summary: f"{len(summary)} dimensions keep 20 %.",
    )
    return drawing.show(figure, pd.DataFrame({"k": [1, 2], "accuracy": [0.5, 0.25]})).data


def _cell(kind: str, source: str, number: int) -> dict:
    return {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source}


def _png() -> str:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), "white").save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()
