"""Where runs go: the plain place of a task, model and analysis, or beside it, never over it, a variant."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from diffred_core import files, provenance
from diffred_core.errors import InputError
from diffred_core.running.notebook_parameters import read_parameters

if TYPE_CHECKING:
    from diffred_core.running._grid_parts import Entry, Grid

GRID = "grid"  # names the variant of a cell that two grids list with different parameters


class Places:
    """The cells of the grid files of a checkout, those of the book first: who has which plain place.

    The plain place of a cell belongs to the first grid that lists it, with its parameters: to `files.DEFAULT_GRID`,
    then to the grids whose kept tables that one draws, in its order, then to the others by name. So a page of the book
    has a plain title and path whatever other grids list. Where no grid lists a cell, the place belongs to the defaults
    of the notebook. Whatever else is run of that task and model is a variant: named by its grid where a grid lists it
    so, else by the parameters in which it differs.
    """

    def __init__(self, grids: Iterable[Grid]) -> None:
        named = {grid.name: grid for grid in sorted(grids, key=lambda grid: grid.name)}
        book = [files.DEFAULT_GRID, *(named[files.DEFAULT_GRID].draws if files.DEFAULT_GRID in named else ())]
        self._grids = [named[name] for name in dict.fromkeys([*book, *named]) if name in named]
        self._defaults: dict[str, dict[str, Any]] = {}

    @cached_property
    def _listed(self) -> list[tuple[str, dict[tuple[str, ...], Mapping[str, object]]]]:
        return [(grid.name, {_slugs(e): self._whole(e) for e in grid.listed()}) for grid in self._grids]

    def variant(self, entry: Entry) -> dict[str, object]:
        """Return the parameters in which the run `entry` differs from the one of the plain place; empty for that one.

        Device and the names of task and model do not count; `GRID` stands for all that a grid lists.
        """
        parameters, owner = self._whole(entry), None
        for name, cells in self._listed:
            if (listed := cells.get(_slugs(entry))) is None:
                continue
            if not files.difference(parameters, listed):
                return {} if owner is None else {GRID: name}
            owner = owner or listed
        return _shown(files.difference(parameters, owner or self._defaults_of(entry.analysis)))

    def _whole(self, entry: Entry) -> dict[str, Any]:
        return self._defaults_of(entry.analysis) | dict(entry.parameters)

    def _defaults_of(self, analysis: str) -> dict[str, Any]:
        if analysis not in self._defaults:
            template = files.template_path(analysis)
            self._defaults[analysis] = {}
            with contextlib.suppress(InputError):  # a broken notebook is said where it is run
                self._defaults[analysis] = {name: one.default for name, one in read_parameters(template).items()}
        return self._defaults[analysis]


def otherwise_recorded(recorded: Mapping[str, object], listed: Mapping[str, object]) -> list[str]:
    """Return the parameters that a grid lists and a record has with another value.

    What task and model stand for is settled by their names; a path in the others is recorded cut short.
    """
    named = set(files.NOT_VARIED) - {"device"}
    shown = provenance.scrubbed(listed, files.working_root())
    return [name for name in shown if name not in named and recorded.get(name) != shown[name]]


def _shown(variant: Mapping[str, object]) -> dict[str, object]:
    """Return `variant` without the paths of this machine; a few digits keep two of them apart."""
    shown = provenance.scrubbed(variant, files.working_root())
    digests = {name: hashlib.sha256(repr(value).encode()).hexdigest()[:6] for name, value in variant.items()}
    return {name: text if text == variant[name] else f"{text} {digests[name]}" for name, text in shown.items()}


def _slugs(entry: Entry) -> tuple[str, ...]:
    return tuple(map(files.slug, (entry.task, entry.model, entry.analysis)))
