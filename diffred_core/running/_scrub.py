"""What an executed notebook must not carry: clock times, tool metadata, and the paths of the machine it ran on."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

INJECTED = "injected-parameters"
METADATA_OF_TOOLS = ("papermill", "execution", "widgets")


def scrub(notebook: NotebookNode, *, root: Path) -> NotebookNode:
    """Take the tools' metadata and every path of this machine out of `notebook`, in place, and return it.

    Parameters
    ----------
    notebook : NotebookNode
        Executed notebook.
    root : Path
        The checkout; paths in it become relative.
    """
    rules = path_rules(root)
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


def path_rules(root: Path) -> list[tuple[re.Pattern[str], str]]:
    """Return pattern and replacement for every folder that tells about this machine, the longest path first."""
    folders = {
        str(root): ".",
        sys.prefix: "<environment>",
        sys.base_prefix: "<python>",
        tempfile.gettempdir(): "<tmp>",
        str(Path.home()): "~",
    }
    named = sorted(folders, key=len, reverse=True)
    # A cell's file is /tmp/ipykernel_<pid>/<hash>.py: the process number differs in every run.
    rules = [
        (re.compile(rf"{re.escape(tempfile.gettempdir())}/ipykernel_\d+/\d+\.py"), "<cell>"),
        (re.compile(r" at 0x[0-9a-fA-F]+>"), ">"),  # nor is the address of an object the same twice
    ]
    # Not inside a longer word: an image in base64 may well contain "/root".
    return rules + [
        (re.compile(rf"(?<![\w+/]){re.escape(folder)}(?![\w+])"), folders[folder])
        for folder in named
        if len(Path(folder).parts) > 1
    ]


def scrub_text(text: str, rules: list[tuple[re.Pattern[str], str]]) -> str:
    """Return `text` with every rule applied."""
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def scrub_value(value: object, rules: list[tuple[re.Pattern[str], str]]) -> object:
    """Return a JSON `value` with every rule applied to each text in it, raster images left alone."""
    if isinstance(value, str):
        return scrub_text(value, rules)
    if isinstance(value, list | tuple):
        return [scrub_value(element, rules) for element in value]
    if isinstance(value, dict):
        return type(value)(
            {k: v if k in ("image/png", "image/jpeg") else scrub_value(v, rules) for k, v in value.items()}
        )
    return value
