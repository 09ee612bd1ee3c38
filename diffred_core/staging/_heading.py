"""The title of a notebook, and what follows it."""

from __future__ import annotations

import re
from typing import Any

from diffred_core.errors import InputError
from diffred_core.staging._runs import CellRun

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
