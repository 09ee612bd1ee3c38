"""Notebooks in the repository carry no output, so that a diff shows what a person changed."""

from __future__ import annotations

import json

import pytest
from small_checkout import PROJECT

TEMPLATES = sorted((PROJECT / "notebooks").glob("*.ipynb"))
KEPT_METADATA = {"kernelspec", "language_info"}


def leftovers(notebook: dict) -> list[str]:
    """Return what a run or an editor has left in `notebook`."""
    found = [f"metadata {name}" for name in notebook["metadata"] if name not in KEPT_METADATA]
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell.get("outputs") or cell.get("execution_count") is not None:
            found.append(f"the output of cell {number}")
        if {"papermill", "execution", "collapsed", "scrolled"} & set(cell["metadata"]):
            found.append(f"metadata of cell {number}")
    return found


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_is_stripped(template):
    assert leftovers(json.loads(template.read_text())) == []


@pytest.mark.parametrize(
    "change",
    [{"outputs": [{"output_type": "stream"}]}, {"execution_count": 1}, {"metadata": {"papermill": {}}}],
    ids=["output", "count", "metadata"],
)
def test_what_is_left_would_be_seen(change):
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": ""}
    assert leftovers({"metadata": {}, "cells": [cell]}) == []
    assert len(leftovers({"metadata": {}, "cells": [cell | change]})) == 1
