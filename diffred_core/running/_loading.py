"""The cells of a notebook that load its features, run by themselves: an extraction asks for what the run asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from diffred_core import files
from diffred_core.errors import InputError
from diffred_core.running.notebook_parameters import checked, read_parameters, tagged_cells

BEGIN = "begin"  # tag of the cell that imports what the others use
TAG = "features"  # of the cells that load features


def load_features(template: Path | str, parameters: Mapping[str, object]) -> None:
    """Run the cells of a notebook that are tagged ``features``, after ``begin``, in this process, with `parameters`.

    Parameters
    ----------
    template : path
        Notebook with a cell tagged ``parameters`` (see `notebook_parameters`).
    parameters : mapping
        Values by name; what is left out keeps the template's default.

    Raises
    ------
    InputError
        If the notebook has no such cell, a parameter is unknown or ill-typed, or a cell raises it.
    """
    template = Path(template)
    chosen = checked(parameters, read_parameters(template), template=template.name)
    if not (loading := tagged_cells(template, TAG)):
        raise InputError(f"expected a cell of {template.name} tagged {TAG!r}, got none: it reads no features; leave it")
    (head,) = tagged_cells(template, "parameters")
    # A kernel keeps such a history, and `results.Run.begin` reads the names of the parameters there.
    namespace: dict[str, object] = {"__name__": "__main__", "In": ["", head]}
    with contextlib.chdir(files.working_root()):  # where a run resolves paths
        _run(head, namespace, template)
        namespace.update(chosen)
        for source in (*tagged_cells(template, BEGIN), *loading):
            _run(source, namespace, template)


def _run(source: str, namespace: dict[str, object], template: Path) -> None:
    exec(compile(source, template.name, "exec"), namespace)
