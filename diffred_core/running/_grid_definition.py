"""The grids of the checkout: their runs with their places, and the run that a command line asks for."""

from __future__ import annotations

import contextlib
import itertools
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from diffred_core import files
from diffred_core.errors import InputError, near_names
from diffred_core.running._grid_file import CHOOSES, COMPUTE, check_chosen, check_grid, grid_names, parse_grid
from diffred_core.running._grid_parts import Entry, Grid
from diffred_core.running._places import Places
from diffred_core.running.notebook_parameters import read_parameters
from diffred_core.running.records import read_record

NAMED = ("model", "task", "task_name", *files.MODEL_PARAMETERS, *COMPUTE)  # options of their own on the command line


def read_grid(name: str) -> Grid:
    """Return the grid ``workflow/grids/<name>.yml`` of the checkout, checked against the notebooks.

    Raises
    ------
    InputError
        If there is no such grid, a key or a notebook is unknown, or a parameter does not fit its notebook.
    """
    grid = parse_grid(name)
    check_grid(grid)
    grid = replace(grid, places=_places(grid))
    return replace(grid, kept=tuple(_drawings(grid)))


def run_entry(
    analysis: str, parameters: Mapping[str, Any], *, grid: str | None = None, kept: str | None = None
) -> Entry:
    """Return the run of the notebook `analysis` with `parameters`, checked ones, and with it its place.

    Parameters
    ----------
    grid : str, optional
        The grid whose tables a summary reads.
    kept : str, optional
        The grid whose kept table is drawn.

    Raises
    ------
    InputError
        If `grid` is unknown, or lists no such analysis after its cells; if a table is to be drawn where one has been
        computed.
    """
    schema = read_parameters(files.template_path(analysis))
    task, model = files.labels({name: one.default for name, one in schema.items()} | dict(parameters))
    entry = Entry(analysis, task, model, dict(parameters), kept=kept)
    if grid is None:
        placed = replace(entry, variant=_places().variant(entry))
        if kept is not None and _is_computed(placed):
            raise InputError(
                f"expected to draw a kept table of {analysis} for {model} on {task}, but its table has been computed "
                f"here; the page of that run stands, or remove {files.record_path(*placed.place)}"
            )
        return placed
    after = {one.analysis: one for one in read_grid(grid).entries() if one.task == files.SUMMARY}
    if analysis not in after:
        raise InputError(
            f"expected an analysis that the grid {grid} lists under after, got {analysis!r}"
            f"{near_names(analysis, after)} (it lists: {', '.join(after) or 'none'})"
        )
    listed = after[analysis]
    return replace(entry, variant={**listed.variant, **files.difference(entry.parameters, listed.parameters)})


def tables_of(grid: str) -> dict[str, list[str]]:
    """Return which tables the summaries of `grid` read besides the plain ones, by the variables that tell its kernel.

    These are its tables that are variants, from ``runs/tables/`` on, and the grids whose kept tables it draws.
    """
    root, read = files.runs_root() / "tables", read_grid(grid)
    variants = (entry for entry in read.entries() if entry.variant and entry.task != files.SUMMARY)
    own = [files.table_path(*entry.place).relative_to(root).as_posix() for entry in variants]
    return {files.OWN_TABLES: own, files.KEPT: list(read.draws)}


def _places(grid: Grid | None = None) -> Places:
    """Return the places of the checkout, with those of `grid`; what is no grid has none."""
    grids = {} if grid is None else {grid.name: grid}
    with contextlib.suppress(InputError):  # outside a checkout there are no grids
        for name in grid_names():
            # a broken file is said where its grid is run
            with contextlib.suppress(InputError, AttributeError, TypeError, ValueError):
                grids.setdefault(name, parse_grid(name))
    return Places(grids.values())


def _drawings(grid: Grid) -> Iterator[Entry]:
    """Yield the runs that draw kept tables of other grids: of what `grid` does not list and nobody has computed."""
    own = {(entry.task, entry.model, entry.analysis) for entry in grid.listed()}
    for name, selections in grid.draws.items():
        cells = [replace(entry, variant=grid.places.variant(entry), kept=name) for entry in parse_grid(name).cells()]
        for chosen in selections:
            check_chosen(chosen, cells, file=f"{grid.name}.yml")
        for entry in cells:
            if not any(_is_of(entry, chosen) for chosen in selections):
                continue
            of = (entry.task, entry.model, entry.analysis)
            if of not in own and files.kept_path(name, *of).is_file() and not _is_computed(entry):
                yield entry


def _is_of(entry: Entry, chosen: Mapping[str, Sequence[str]]) -> bool:
    return all(getattr(entry, CHOOSES[key]) in names for key, names in chosen.items())


def _is_computed(entry: Entry) -> bool:
    """Return whether the place of `entry` has a run that computed its table: no drawing takes its place."""
    with contextlib.suppress(InputError):
        return read_record(files.record_path(*entry.place)).kept is None
    return False


def arguments(parameters: Mapping[str, object]) -> str:
    """Return `parameters` as options of ``diffred run``, quoted for a shell."""
    named = [(f"--{key.replace('_', '-')}", _text(parameters[key])) for key in NAMED if key in parameters]
    others = [("-p", f"{key}={_text(value)}") for key, value in parameters.items() if key not in NAMED]
    return shlex.join(itertools.chain.from_iterable([*named, *others]))


def _text(value: object) -> str:
    # Of lists and dicts JSON, whose double quotes a shell lets stand.
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else repr(value)
