"""One run of a notebook: its parameters as its first cell says them, when it began, and the table that it writes."""

from __future__ import annotations

import ast
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from diffred_core import files
from diffred_core.errors import InputError
from diffred_core.results._provenance import collect_provenance
from diffred_core.results._store import write


@dataclass(frozen=True)
class Run:
    """What a notebook was started with.

    Attributes
    ----------
    parameters : dict
        The names of the parameters cell with the values that they have now.
    started : float
        ``time.perf_counter()`` at the beginning.
    """

    parameters: Mapping[str, object]
    started: float = field(default_factory=time.perf_counter)

    @classmethod
    def begin(cls, namespace: Mapping[str, object]) -> Run:
        """Return the run of the notebook whose ``globals()`` are given.

        Its parameters are what its first cell of annotated assignments names, as the notebook's history has it: no
        list of them is kept a second time. A cell injected by papermill changes values, not names.

        Raises
        ------
        InputError
            If no such cell has run.
        """
        history = namespace.get("In")
        for source in history if isinstance(history, list) else []:
            if names := _parameters_cell(source):
                return cls({name: namespace[name] for name in names})
        raise InputError(
            "expected a parameters cell (name: type = default) to have run before, found none; run the notebook from "
            "its first cell"
        )

    def write(self, table: pd.DataFrame, analysis: str, *, inputs: Mapping[str, str] | None = None) -> Path:
        """Write the table of `analysis` to its place, with the provenance of this run, and return the place.

        Parameters
        ----------
        table : DataFrame
            A results table.
        analysis : str
            Name of the notebook.
        inputs : mapping of str to str, optional
            Keys or digests of what was read, such as ``TaskFeatures.keys``.
        """
        task, model = (str(self.parameters.get(name, files.SUMMARY)) for name in ("task", "model"))
        made_by = collect_provenance(
            self.parameters,
            feature_keys=inputs,
            device=str(self.parameters.get("device", "cpu")),
            started=self.started,
        )
        return write(table, files.table_path(task, model, analysis), provenance=made_by)


def _parameters_cell(source: str) -> list[str]:
    """Return the names of a cell that holds annotated assignments with values and nothing else, else nothing."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # a cell of magics
        return []
    names = [
        s.target.id for s in statements if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name) and s.value
    ]
    return names if len(names) == len(statements) else []
