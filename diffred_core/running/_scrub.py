"""What an executed notebook must not carry: clock times, tool metadata, and the paths of the machine it ran on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffred_core.provenance import Rules, scrub_text, scrub_value

if TYPE_CHECKING:
    from nbformat import NotebookNode

INJECTED = "injected-parameters"
METADATA_OF_TOOLS = ("papermill", "execution", "widgets")


def scrub(notebook: NotebookNode, *, rules: Rules) -> NotebookNode:
    """Take the tools' metadata and every path of this machine out of `notebook`, in place, and return it.

    Parameters
    ----------
    notebook : NotebookNode
        Executed notebook.
    rules : list of (pattern, str)
        What stands for the paths of this machine: `provenance.path_rules`.
    """
    for owner in (notebook, *notebook.cells):
        for name in METADATA_OF_TOOLS:
            owner.metadata.pop(name, None)
    for cell in notebook.cells:
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if INJECTED in cell.metadata.get("tags", []):
            cell.id = INJECTED  # papermill draws a new one every time
        cell.source = scrub_text(cell.source, rules)
        if cell.cell_type == "code":
            cell.outputs = [scrub_value(output, rules) for output in cell.outputs]
    return notebook
