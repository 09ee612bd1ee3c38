"""What a grid is made of: one run of a notebook, an analysis with its models and tasks, the grid."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from diffred_core import files
from diffred_core.running._places import GRID, Places

FEATURES = "features"  # the room of the feature store, and the name of what fills it among stamps and logs


@dataclass(frozen=True)
class Entry:
    """One notebook run of the grid.

    Parameters
    ----------
    analysis, task, model : str
        Which notebook, on what, as the book calls them (`files.task_label`, `files.model_label`); task and model are
        "summary" for an analysis over all of them.
    parameters : dict
        What is passed to the notebook.
    variant : dict
        The parameters in which it differs from the run that has the plain place of this task, model and analysis, as
        `Places` says; empty for that run.
    kept : str or None
        The grid whose kept table is drawn instead of computing one.
    extraction : dict
        Parameters with which its features are extracted instead: the device of the grid.
    """

    analysis: str
    task: str
    model: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    variant: Mapping[str, object] = field(default_factory=dict)
    kept: str | None = None
    extraction: Mapping[str, object] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, str]:
        """Task, model and name of the run, in the order of the paths of `files`."""
        return self.task, self.model, files.run_name(self.analysis, self.variant)


@dataclass(frozen=True)
class Analysis:
    """One notebook, and what it is run on.

    Parameters
    ----------
    models, tasks : dict of str to dict
        What the book calls them, each with the parameters of a notebook that stand for it (`MODEL_KEYS`, `TASK_KEYS`).
    parameters : dict
        What the grid passes to the notebook besides those.
    extraction : dict
        As in `Entry`.
    """

    models: Mapping[str, Mapping[str, object]]
    tasks: Mapping[str, Mapping[str, object]]
    parameters: Mapping[str, object]
    extraction: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """What ``workflow/grids/<name>.yml`` says.

    Parameters
    ----------
    name : str
        Name of the file.
    analyses : dict of str to Analysis
        Notebooks to run for every model and task: those of the grid, or those that the analysis lists itself.
    after : dict of str to dict
        Notebooks to run once after all of those, with their parameters.
    draws : dict of str to list of dict
        Grids whose kept tables it draws, each with selections of ``analyses``, ``tasks`` and ``models`` that get pages;
        all where one names none. Summaries read every kept table of those grids.
    kept : tuple of Entry
        The runs that draw them.
    places : Places
        Of the checkout.
    """

    name: str
    analyses: Mapping[str, Analysis]
    after: Mapping[str, Mapping[str, object]]
    draws: Mapping[str, Sequence[Mapping[str, Sequence[str]]]] = field(default_factory=dict)
    kept: tuple[Entry, ...] = ()
    places: Places = field(default_factory=lambda: Places(()), compare=False)

    @property
    def cell_analyses(self) -> tuple[str, ...]:
        """The analyses of single models and tasks, computed or drawn."""
        return tuple(dict.fromkeys([*self.analyses, *(entry.analysis for entry in self.kept)]))

    def entries(self) -> list[Entry]:
        """Return every notebook run of the grid with its place, those over all tasks and models last.

        A summary reads the tables of its grid: where one of them is a variant, so is the summary.
        """
        cells = [replace(entry, variant=self.places.variant(entry)) for entry in self.cells()]
        of_own_tables = any(entry.variant for entry in cells)
        placed = ((entry, self.places.variant(entry)) for entry in self._summaries())
        after = (replace(e, variant={GRID: self.name} if of_own_tables else v) for e, v in placed)
        return [*cells, *self.kept, *after]

    def listed(self) -> list[Entry]:
        """Return `entries` as the file lists them, all in the plain place."""
        return [*self.cells(), *self._summaries()]

    def cells(self) -> Iterator[Entry]:
        """Yield the runs of single models and tasks that the file lists, all in the plain place."""
        for name, analysis in self.analyses.items():
            for (task, of_task), (model, of_model) in itertools.product(
                analysis.tasks.items(), analysis.models.items()
            ):
                parameters = {**of_model, **of_task, **analysis.parameters}
                yield Entry(name, task, model, parameters, extraction=analysis.extraction)

    def _summaries(self) -> Iterator[Entry]:
        for analysis, fixed in self.after.items():
            yield Entry(analysis, files.SUMMARY, files.SUMMARY, dict(fixed))
