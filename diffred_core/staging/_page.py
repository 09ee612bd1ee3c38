"""An executed notebook as a page: a title of its own, what produced it, and the command that makes it again."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from diffred_core.errors import InputError
from diffred_core.staging._box import provenance_box
from diffred_core.staging._project import Project
from diffred_core.staging._runs import Run

Notebook = dict[str, Any]
_HEADING = re.compile(r"\A\s*#\s+(?P<title>.+?)\s*$", re.MULTILINE)
_PARAMETER_TAGS = {"parameters", "injected-parameters"}


def page_title(run: Run) -> str:
    """Return how the contents name the page of `run`: the heading of the notebook where there is one page of it."""
    if not run.cell.is_summary:
        return run.cell.title
    return heading(run.notebook, name=f"notebooks/{run.record.template}")[0]


def heading(notebook: Notebook, *, name: str) -> tuple[str, str]:
    """Return the title of a notebook and the Markdown that follows it in its first cell.

    Raises
    ------
    InputError
        If the notebook does not begin with a heading of first order.
    """
    first = notebook["cells"][0]
    text = "".join(first["source"])
    found = _HEADING.search(text) if first["cell_type"] == "markdown" else None
    if found is None:
        raise InputError(
            f"expected {name} to begin with a Markdown cell '# Title', got {text[:40]!r}; "
            "give it one title, the same for every run"
        )
    return found["title"], text[found.end() :].strip()


def run_page(run: Run, project: Project) -> bytes:
    """Return the executed notebook of `run` as a page of the book, in nbformat 4 JSON."""
    page = copy.deepcopy(run.notebook)
    title, rest = heading(page, name=f"notebooks/{run.record.template}")
    shown = title if run.cell.is_summary else f"{title}: {run.cell.title}"
    head = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {shown}"}
    question = {"cell_type": "markdown", "id": "question", "metadata": {}, "source": rest}
    box = {"cell_type": "markdown", "id": "provenance", "metadata": {}, "source": provenance_box(run, project)}
    page["cells"] = [head, *([question] if rest else []), box, *(_shown(cell) for cell in page["cells"][1:])]
    page["metadata"] = {
        key: page["metadata"][key] for key in ("kernelspec", "language_info") if key in page["metadata"]
    }
    return (json.dumps(page, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _shown(cell: Notebook) -> Notebook:
    """Return `cell` as the page shows it: without parameters and messages, since the box has both."""
    tags = set(cell["metadata"].get("tags", ()))
    if cell["cell_type"] == "code":
        cell["outputs"] = [output for output in cell["outputs"] if output.get("name") != "stderr"]
    if tags & _PARAMETER_TAGS:
        cell["metadata"]["tags"] = sorted(tags | {"remove-cell"})
    return cell
