"""The title of a notebook, what follows it, and the finding that it shows."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from diffred_core.errors import InputError
from diffred_core.staging._runs import CellRun

_FINDING = re.compile(r'<p class="finding">(.*?)</p>', re.DOTALL)
_TAGS = re.compile(r"<[^>]*>")
_HEADING = re.compile(r"\A\s*#\s+(?P<title>.+?)\s*$", re.MULTILINE)


def heading(notebook: dict[str, Any], *, name: str) -> tuple[str, str]:
    """Return the title of a notebook and the Markdown that follows it in its first cell.

    Raises
    ------
    InputError
        If the notebook does not begin with a title.
    """
    first = notebook["cells"][0]
    text = "".join(first["source"])
    match = _HEADING.search(text) if first["cell_type"] == "markdown" else None
    if match is None:
        raise InputError(
            f"expected {name} to begin with a Markdown cell '# Title', got {text[:40]!r}; "
            "give it one title, the same for every run"
        )
    return match["title"], text[match.end() :].strip()


def heading_of(run: CellRun) -> tuple[str, str]:
    """Return the title of the notebook of a run that has a page, and what follows it; errors as `heading`."""
    notebook, record = run.whole
    return heading(notebook, name=f"notebooks/{record.template}")


def finding_of(run: CellRun) -> str:
    """Return the sentence of the answer that the executed notebook of `run` shows, as text; empty without one."""
    notebook, _ = run.whole
    outputs = (output for cell in notebook["cells"] for output in cell.get("outputs", ()))
    shown = ("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    return next(filter(None, map(finding_in, shown)), "")


def finding_in(html: str) -> str:
    """Return the sentence of the answer that stands in `html`, as text; empty without one."""
    match = _FINDING.search(html)
    return as_text(match[1]) if match else ""


def as_text(html: str) -> str:
    """Return what `html` says, on one line without its tags."""
    return " ".join(unescape(_TAGS.sub("", html)).split())
