"""Where the page and the downloads of a cell lie in the staged book."""

from __future__ import annotations

from diffred_core import files
from diffred_core.staging._runs import Cell


def page_name(cell: Cell) -> str:
    """Return the document name of the page of `cell`."""
    return f"results/{cell.analysis}" if cell.is_summary else f"results/{cell.analysis}/{_stem(cell)}"


def file_name(cell: Cell, suffix: str) -> str:
    """Return where the file of `cell` with `suffix` lies in the staged book, for download."""
    return f"downloads/{'' if cell.is_summary else _stem(cell) + '--'}{cell.analysis}{suffix}"


def _stem(cell: Cell) -> str:
    return f"{files.slug(cell.task)}--{files.slug(cell.model)}"
