"""A notebook that draws a kept table: instead of the cells that compute its table it has one that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffred_core.errors import InputError

if TYPE_CHECKING:
    from nbformat import NotebookNode

COMPUTING = ("features", "sweep")  # tags of cells that a drawing leaves out, the last of them for what reads the table
WRITING = "write"  # tag of the cell that writes the table


def drawing(notebook: NotebookNode, *, grid: str, place: tuple[str, str, str]) -> NotebookNode:
    """Return `notebook` as it draws the table that `grid` has kept of `place`: task, model and analysis.

    Parameters
    ----------
    notebook : NotebookNode
        A template whose cells are tagged: ``features`` and ``sweep`` what computes its table, ``write`` what writes it.

    Raises
    ------
    InputError
        If no cell is tagged so.
    """
    computing = [i for i, cell in enumerate(notebook.cells) if _tags(cell) & set(COMPUTING)]
    writing = [i for i, cell in enumerate(notebook.cells) if WRITING in _tags(cell)]
    if not computing or len(writing) != 1:
        raise InputError(
            f"expected cells tagged {' or '.join(COMPUTING)} and one tagged {WRITING} in {place[2]}.ipynb, whose "
            f"place a kept table takes, got {len(computing)} and {len(writing)}; tag them"
        )
    notebook.cells[computing[-1]].source = f"table, made_by = results.read_kept{(grid, *place)!r}"
    notebook.cells[
        writing[0]
    ].source = (
        f'path = run.write(table, {place[2]!r}, made_by=made_by)\nprint(f"{{len(table)}} rows, drawn from kept/{grid}")'
    )
    left_out = set(computing[:-1])
    notebook.cells = [cell for i, cell in enumerate(notebook.cells) if i not in left_out]
    return notebook


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", ())) if cell.cell_type == "code" else set()
