"""A file ``workflow/grids/<name>.yml``: read into a grid, and refused in a sentence where it does not fit."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from diffred_core import files
from diffred_core.errors import InputError, near_names
from diffred_core.running import sources
from diffred_core.running._grid_parts import FEATURES, Analysis, Entry, Grid
from diffred_core.running.notebook_parameters import checked, read_parameters

ON = ("models", "tasks")
COMPUTE = {  # of every analysis that has such a parameter, unless it says otherwise: what it may be, in words too
    "device": (r"cpu|cuda(:\d+)?", "cpu, cuda or cuda:N"),
    "precision": ("fp32|bf16|fp16", "fp32, bf16 or fp16"),
}
FULL = "fp32"  # the precision whose features all devices share
KEYS = (*ON, *COMPUTE, "analyses", "after", "kept")
COMPARED = ("factor", "other_models")  # what a model is held against differs from model to model
MODEL_KEYS = files.MODEL_KEYS | {key: key for key in COMPARED}  # of a grid file, to parameters
DOMAINS = ("shifted_tasks",)  # and the other domains of a task, which are of its classes, from task to task
TASK_KEYS = {"task": "task", "name": "task_name"} | {key: key for key in DOMAINS}
CHOOSES = {"analyses": "analysis", "tasks": "task", "models": "model"}  # among kept tables, by attributes of `Entry`


def parse_grid(name: str) -> Grid:
    """Return what the file says, not yet held against the notebooks (`check_grid`), without places and drawings."""
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
        draws={key: _selections(value) for key, value in (content.get("kept") or {}).items()},
    )


def check_chosen(chosen: Mapping[str, Sequence[str]], cells: Sequence[Entry], *, file: str) -> None:
    """Refuse a selection of kept tables that names what the other grid, with its `cells`, does not have."""
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


def _selections(value: Any) -> list[Mapping[str, Sequence[str]]]:
    return [selection or {} for selection in (value if isinstance(value, list) else [value])]


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


def check_grid(grid: Grid) -> None:
    """Refuse names that clash, and parameters that do not fit their notebook."""
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
                parameters = {key: value for key, value in of_one.items() if key not in COMPARED + DOMAINS}
                if meanings.setdefault(files.slug(name), parameters) != parameters:
                    raise InputError(
                        f"expected names of their own in the grid {grid.name}, got {name!r} for two {kind}; give one "
                        "of them a name: ..."
                    )
