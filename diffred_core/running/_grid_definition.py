"""A grid: models x tasks x analyses, read from ``workflow/grids/<name>.yml`` and checked before anything runs."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from diffred_core import files
from diffred_core.errors import InputError, near_names
from diffred_core.running import sources
from diffred_core.running._places import GRID, Places
from diffred_core.running.notebook_parameters import checked, read_parameters
from diffred_core.running.records import read_record

ON = ("models", "tasks")
COMPUTE = {  # of every analysis that has such a parameter, unless it says otherwise: what it may be, in words too
    "device": (r"cpu|cuda(:\d+)?", "cpu, cuda or cuda:N"),
    "precision": ("fp32|bf16|fp16", "fp32, bf16 or fp16"),
}
FULL = "fp32"  # the precision whose features all devices share
KEYS = (*ON, *COMPUTE, "analyses", "after", "kept")
NAMED = ("model", "task", "task_name", *files.MODEL_PARAMETERS, *COMPUTE)  # options of their own on the command line
COMPARED = ("factor", "other_models")  # what a model is held against differs from model to model
MODEL_KEYS = files.MODEL_KEYS | {key: key for key in COMPARED}  # of a grid file, to parameters
TASK_KEYS = {"task": "task", "name": "task_name"}
CHOOSES = {"analyses": "analysis", "tasks": "task", "models": "model"}  # among kept tables, by attributes of `Entry`
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
    draws : dict of str to dict
        Grids whose kept tables it draws, each with the ``analyses``, ``tasks`` and ``models`` that get pages; all where
        it names none. Summaries read every kept table of those grids.
    kept : tuple of Entry
        The runs that draw them.
    places : Places
        Of the checkout.
    """

    name: str
    analyses: Mapping[str, Analysis]
    after: Mapping[str, Mapping[str, object]]
    draws: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
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
        cells = [replace(entry, variant=self.places.variant(entry)) for entry in self._cells()]
        of_own_tables = any(entry.variant for entry in cells)
        placed = ((entry, self.places.variant(entry)) for entry in self._summaries())
        after = (replace(e, variant={GRID: self.name} if of_own_tables else v) for e, v in placed)
        return [*cells, *self.kept, *after]

    def listed(self) -> list[Entry]:
        """Return `entries` as the file lists them, all in the plain place."""
        return [*self._cells(), *self._summaries()]

    def _cells(self) -> Iterator[Entry]:
        for name, analysis in self.analyses.items():
            for (task, of_task), (model, of_model) in itertools.product(
                analysis.tasks.items(), analysis.models.items()
            ):
                parameters = {**of_model, **of_task, **analysis.parameters}
                yield Entry(name, task, model, parameters, extraction=analysis.extraction)

    def _summaries(self) -> Iterator[Entry]:
        for analysis, fixed in self.after.items():
            yield Entry(analysis, files.SUMMARY, files.SUMMARY, dict(fixed))


def read_grid(name: str) -> Grid:
    """Return the grid ``workflow/grids/<name>.yml`` of the checkout, checked against the notebooks.

    Raises
    ------
    InputError
        If there is no such grid, a key or a notebook is unknown, or a parameter does not fit its notebook.
    """
    grid = _parsed(name)
    _check(grid)
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
                grids.setdefault(name, _parsed(name))
    return Places(grids.values())


def _parsed(name: str) -> Grid:
    import yaml

    path = files.project_root() / "workflow" / "grids" / f"{name}.yml"
    if not path.is_file():
        known = grid_names()
        raise InputError(f"there is no grid {name!r}{near_names(name, known)} (known: {', '.join(known)})")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise InputError(f"expected YAML in {path.name}, got {_one_line(error)}; correct it there") from error
    if not isinstance(content, dict):
        raise InputError(f"expected keys of {', '.join(KEYS)} in {path.name}, got {content!r}; write it so")
    for key in content:
        if key not in KEYS:
            raise InputError(f"{path.name} has an unknown key {key!r}{near_names(key, KEYS)} (keys: {', '.join(KEYS)})")
    default = {key: content.get(key) for key in ON}
    compute = {key: content[key] for key in COMPUTE if key in content}
    _check_compute(compute, path.name)
    return Grid(
        name=name,
        analyses={
            key: _analysis({**default, **_computed(compute, key, value or {})}, path.name)
            for key, value in (content.get("analyses") or {}).items()
        },
        after={key: value or {} for key, value in (content.get("after") or {}).items()},
        draws={key: value or {} for key, value in (content.get("kept") or {}).items()},
    )


def _drawings(grid: Grid) -> Iterator[Entry]:
    """Yield the runs that draw kept tables of other grids: of what `grid` does not list and nobody has computed."""
    own = {(entry.task, entry.model, entry.analysis) for entry in grid.listed()}
    for name, chosen in grid.draws.items():
        cells = [replace(entry, variant=grid.places.variant(entry), kept=name) for entry in _parsed(name)._cells()]
        _check_chosen(chosen, cells, file=f"{grid.name}.yml")
        for entry in cells:
            if not all(getattr(entry, CHOOSES[key]) in names for key, names in chosen.items()):
                continue
            of = (entry.task, entry.model, entry.analysis)
            if of not in own and files.kept_path(name, *of).is_file() and not _is_computed(entry):
                yield entry


def _check_chosen(chosen: Mapping[str, Sequence[str]], cells: Sequence[Entry], *, file: str) -> None:
    for key, names in chosen.items():
        if key not in CHOOSES:
            raise InputError(
                f"expected {', '.join(CHOOSES)} below a grid of kept in {file}, got {key!r}{near_names(key, CHOOSES)}; "
                "name one of them"
            )
        known = sorted({getattr(entry, CHOOSES[key]) for entry in cells})
        for one in names:
            if one not in known:
                raise InputError(
                    f"expected {key} of kept in {file} from that grid, got {one!r}{near_names(one, known)} (it has: "
                    f"{', '.join(known)}); name one of them"
                )


def _is_computed(entry: Entry) -> bool:
    """Return whether the place of `entry` has a run that computed its table: no drawing takes its place."""
    with contextlib.suppress(InputError):
        return read_record(files.record_path(*entry.place)).kept is None
    return False


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def grid_names() -> list[str]:
    """Return the names of the files in ``workflow/grids/`` of the checkout."""
    return sorted(path.stem for path in (files.project_root() / "workflow" / "grids").glob("*.yml"))


def needs_features(analysis: str) -> bool:
    """Return whether the notebook of `analysis` imports the feature store itself: only then it reads from there.

    Through the package every notebook imports it, also one that trains a network of its own.
    """
    feature_store = sources.module_files(f"{sources.PACKAGE.name}.{FEATURES}")
    return not feature_store.isdisjoint(sources.imported_files(files.template_path(analysis)))


def arguments(parameters: Mapping[str, object]) -> str:
    """Return `parameters` as options of ``diffred run``, quoted for a shell."""
    named = [(f"--{key.replace('_', '-')}", _text(parameters[key])) for key in NAMED if key in parameters]
    others = [("-p", f"{key}={_text(value)}") for key, value in parameters.items() if key not in NAMED]
    return shlex.join(itertools.chain.from_iterable([*named, *others]))


def _text(value: object) -> str:
    # Of lists and dicts JSON, whose double quotes a shell lets stand.
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else repr(value)


def _analysis(content: Mapping[str, Any], file: str) -> Analysis:
    content = dict(content)
    return Analysis(
        extraction=content.pop(FEATURES, {}),
        models=_by_label(content["models"], MODEL_KEYS, label=_label_of_model, file=file),
        tasks=_by_label(content["tasks"], TASK_KEYS, label=_label_of_task, file=file),
        parameters={key: value for key, value in content.items() if key not in ON},
    )


def _computed(compute: Mapping[str, object], analysis: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a grid says of `analysis`, its `own` lines before those for all.

    The device for all is that of the extraction, under `FEATURES`: the analysis finds the features and runs on a CPU,
    unless it names a device itself. In half precision, where features of a GPU are not those of a CPU, and where it
    extracts none, it runs on the device too.
    """
    schema = read_parameters(files.template_path(analysis)) if compute else {}
    taken = {key: value for key, value in compute.items() if key in schema}
    chosen = {name: one.default for name, one in schema.items()} | taken | dict(own)
    precisions = {*_several(chosen.get("precision", FULL)), *_several(chosen.get("precisions", FULL))}
    if "device" in taken and "device" not in own and precisions == {FULL} and needs_features(analysis):
        return {FEATURES: {"device": taken.pop("device")}, **taken, **own}
    return {**taken, **own}


def _several(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _by_label(
    items: Iterable[object] | None,
    keys: Mapping[str, str],
    *,
    label: Callable[[Mapping[str, object]], str],
    file: str,
) -> dict[str, Mapping[str, object]]:
    """Return the parameters of every model or task of a grid file, by what the book calls it."""
    by_label: dict[str, Mapping[str, object]] = {}
    for item in items or []:
        parameters = _named(item, keys, file=file)
        name = label(parameters)
        if by_label.setdefault(name, parameters) != parameters:
            raise InputError(f"expected names of their own in {file}, got {name!r} twice; give one of them a name: ...")
    return by_label


def _named(item: object, keys: Mapping[str, str], *, file: str) -> dict[str, object]:
    """Return the parameters of a model or task of a grid file, which is a name or a mapping with some of `keys`."""
    kind = next(iter(keys))
    if isinstance(item, str):
        return {kind: item}
    if isinstance(item, dict) and kind in item and set(item) <= set(keys):
        return {keys[key]: value for key, value in item.items() if value is not None}
    raise InputError(
        f"expected a {kind} in {file} to be a name or a mapping with {kind} and any of "
        f"{', '.join(key for key in keys if key != kind)}, got {item!r}; write it so"
    )


def _label_of_model(of_model: Mapping[str, Any]) -> str:
    return files.labels(of_model)[1]


def _label_of_task(of_task: Mapping[str, Any]) -> str:
    return files.task_label(of_task["task"], task_name=of_task.get("task_name"))


def _check(grid: Grid) -> None:
    for analysis in (*grid.analyses, *grid.after):
        if analysis == FEATURES or analysis != files.slug(analysis):
            raise InputError(f"an analysis of the grid {grid.name} cannot be called {analysis!r}: rename its notebook")
    for analysis, entries in itertools.groupby(grid.listed(), key=lambda entry: entry.analysis):
        template = files.template_path(analysis)
        schema = read_parameters(template)
        for entry in entries:
            checked(entry.parameters, schema, template=template.name)
            _check_compute(entry.parameters, f"{grid.name}.yml")
    slugs = [tuple(map(files.slug, entry.place)) for entry in grid.listed()]
    for twice in {place for place in slugs if slugs.count(place) > 1}:
        raise InputError(f"two runs of the grid {grid.name} would write the same files {'/'.join(twice)}: rename one")
    _check_names(grid)


def _check_compute(parameters: Mapping[str, object], file: str) -> None:
    for key, (pattern, words) in COMPUTE.items():
        if key in parameters and not re.fullmatch(pattern, str(parameters[key])):
            raise InputError(f"expected {key} in {file} to be {words}, got {parameters[key]!r}; write one of them")


def _check_names(grid: Grid) -> None:
    """Refuse a name that is that of two tasks, or of two models, in different analyses of the grid."""
    for kind in ON:
        meanings: dict[str, object] = {}
        for analysis in grid.analyses.values():
            for name, of_one in getattr(analysis, kind).items():
                parameters = {key: value for key, value in of_one.items() if key not in COMPARED}
                if meanings.setdefault(files.slug(name), parameters) != parameters:
                    raise InputError(
                        f"expected names of their own in the grid {grid.name}, got {name!r} for two {kind}; give one "
                        "of them a name: ..."
                    )
