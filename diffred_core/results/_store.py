"""Tables on disk: each written whole or not at all, and beside it what it was made from."""

from __future__ import annotations

import ast
import inspect
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from diffred_core import files, provenance
from diffred_core.errors import InputError
from diffred_core.results._parquet import read_parquet, write_parquet
from diffred_core.results._schema import TEXT_COLUMNS, check

LONGEST_CSV = 100_000  # rows, 16 MB; a longer table is Parquet, which is smaller and read faster


def collect_provenance(
    parameters: Mapping[str, object],
    *,
    feature_keys: Mapping[str, str] | None = None,
    device: str = "cpu",
    started: float | None = None,
) -> dict[str, object]:
    """Return what is written beside a table: enough to say which code and which inputs made it.

    Parameters
    ----------
    parameters : mapping
        The parameters of the run, JSON values only; paths of this machine are cut short. Of a ``checkpoint`` among them
        the SHA-256 of the file is kept.
    feature_keys : mapping of split to key, optional
        Keys of the feature stores that were read.
    device : str, default="cpu"
        Where the tensors lived.
    started : float, optional
        ``time.perf_counter()`` at the start of the run; gives ``wall_seconds``.
    """
    commit, dirty = provenance.commit()
    checkpoint = Path(str(parameters.get("checkpoint") or "")).expanduser()
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": provenance.scrubbed(parameters, files.working_root()),
        "feature_keys": dict(feature_keys or {}),
        **({"checkpoint_sha256": files.sha256(checkpoint)} if checkpoint.is_file() else {}),
        "commit": commit,
        "dirty": dirty,
        "versions": provenance.versions(),
        "device": device,
        "machine": provenance.machine(),
        "wall_seconds": None if started is None else round(time.perf_counter() - started, 3),
    }


def provenance_path(path: Path) -> Path:
    """Return the place of the provenance of the table at `path`: ``<name>.provenance.json`` beside it."""
    return Path(path).with_suffix(".provenance.json")


def write(table: pd.DataFrame, path: Path | str, *, provenance: Mapping[str, object]) -> Path:
    """Write the checked `table` to `path` and its provenance beside it, each by temporary file and rename.

    More than 100,000 rows become Parquet, with the suffix ``.parquet``; readers take either. The provenance is written
    after the table and carries its digest, so a table without a matching provenance is the trace of an interrupted run.
    The other kind of file, of an earlier table, is removed at the end.

    Parameters
    ----------
    table : DataFrame
        Rows in the columns of `COLUMNS`.
    path : path
        Where the CSV goes, or the Parquet beside it; missing folders are made.
    provenance : mapping
        JSON values, as from `collect_provenance`.

    Returns
    -------
    Path
        Where the table is.

    Raises
    ------
    InputError
        If the table breaks the schema (nothing is written then).
    """
    csv, parquet, checked = Path(path).with_suffix(".csv"), Path(path).with_suffix(".parquet"), check(table)
    if len(checked) > LONGEST_CSV:
        written, other = write_parquet(checked, parquet), csv
    else:
        written, other = files.write_text(csv, checked.to_csv(index=False, lineterminator="\n")), parquet
    files.write_json(provenance_path(written), {**provenance, "table_sha256": files.sha256(written)})
    other.unlink(missing_ok=True)
    return written


def read(path: Path | str) -> pd.DataFrame:
    """Return the checked table at `path`, or from the Parquet beside it where the table is long.

    Raises
    ------
    InputError
        If there is no such file, or the table breaks the schema.
    """
    path = files.table_file(Path(path))
    if not path.is_file():
        raise InputError(
            f"expected a results table at {path}, but there is none; run the analysis that writes it first"
        )
    table = read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    try:
        return check(table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_csv(path: Path) -> pd.DataFrame:
    # Only the empty cell is missing: a class may well be called "None" or "NA", and "0" is not 0.0.
    text_types = dict.fromkeys(TEXT_COLUMNS, "string")
    try:
        return pd.read_csv(path, dtype=text_types, keep_default_na=False, na_values=[""])
    except ValueError as error:  # pandas says so of text that is none, and of lines that do not fit
        raise InputError(f"expected a results table in {path}, got something else; run its analysis again") from error


def read_provenance(path: Path | str) -> dict[str, object]:
    """Return the provenance of the table at `path`.

    Raises
    ------
    InputError
        If there is none, or if the table is not the one it was written for.
    """
    path = files.table_file(Path(path))
    beside = provenance_path(path)
    if not beside.is_file():
        raise InputError(f"expected the provenance of {path} at {beside}, but there is none; run the analysis again")
    try:
        record: dict[str, object] = dict(json.loads(beside.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"expected the provenance of {path} in {beside}, got something else; run the analysis again"
        ) from error
    if record.get("table_sha256") != files.sha256(path):
        raise InputError(f"{path} is not the table that its provenance describes; run the analysis again")
    return record


@dataclass(frozen=True)
class Run:
    """What a notebook was started with.

    Attributes
    ----------
    parameters : dict
        The names of the parameters cell with the values that they have now.
    defaults : dict
        The same names with the values of the cell.
    started : float
        ``time.perf_counter()`` at the beginning.
    """

    parameters: Mapping[str, object]
    defaults: Mapping[str, object] = field(default_factory=dict)
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
            if defaults := _parameters_cell(source):
                return cls({name: namespace[name] for name in defaults}, defaults)
        raise InputError(
            "expected a parameters cell (name: type = default) to have run before, found none; run the notebook from "
            "its first cell"
        )

    def options(self, function: Callable[..., object]) -> dict[str, Any]:
        """Return the parameters of this run that `function` takes, by name; None leaves the function its own default.

        So a parameter is named in the parameters cell and in the signature of what it is for, and nowhere between.
        """
        taken = inspect.signature(function).parameters
        return {name: value for name, value in self.parameters.items() if name in taken and value is not None}

    def write(
        self,
        table: pd.DataFrame,
        analysis: str,
        *,
        inputs: Mapping[str, str] | None = None,
        recipes: pd.DataFrame | None = None,
        made_by: Mapping[str, object] | None = None,
    ) -> Path:
        """Write the table of `analysis` to its place, with the provenance of this run, and return the place.

        The runner (`diffred run`, a grid) names the place. A notebook that plain papermill or JupyterLab executes
        writes into the folder that it runs in, beside the notebook, and never over a table of the grid.

        Parameters
        ----------
        table : DataFrame
            A results table.
        analysis : str
            Name of the notebook.
        inputs : mapping of str to str, optional
            Keys or digests of what was read, such as ``TaskFeatures.keys``.
        recipes : DataFrame, optional
            What the training of published probes did, such as `random_subsets.recipe_traces`: one row a recipe.
        made_by : mapping, optional
            The provenance of a table that was not computed here but read (`read_kept`), instead of that of this run.
        """
        if made_by is None:
            made_by = collect_provenance(
                self.parameters,
                feature_keys=inputs,
                device=str(self.parameters.get("device", "cpu")),
                started=self.started,
            )
        if recipes is not None:
            made_by = {**made_by, "recipes": recipes.to_dict("records")}
        place = os.environ.get(files.TABLE)
        return write(table, place or self._beside(analysis), provenance=made_by)

    def _beside(self, analysis: str) -> Path:
        variant = files.difference(self.parameters, self.defaults) if self.defaults else {}
        shown = provenance.scrubbed(variant, files.working_root())
        return files.loose_table_path(*files.labels(self.parameters), files.run_name(analysis, shown))


def _parameters_cell(source: str) -> dict[str, object]:
    """Return names and values of a cell that holds annotated assignments of literals and nothing else, else nothing."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # a cell of magics
        return {}
    named = {
        s.target.id: s.value
        for s in statements
        if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name) and s.value
    }
    try:
        return {n: ast.literal_eval(v) for n, v in named.items()} if len(named) == len(statements) else {}
    except ValueError:
        return {}
