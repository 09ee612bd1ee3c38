"""What the runs of a grid read from outside: networks and tasks, each named once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diffred_core import files
from diffred_core.running._grid_file import needs_features
from diffred_core.running._grid_parts import Grid
from diffred_core.running._material import others_of, tasks_of
from diffred_core.running.notebook_parameters import read_parameters


@dataclass(frozen=True)
class Needs:
    """Networks by what the book calls them, each with the parameters that stand for it; tasks by name."""

    models: Mapping[str, Mapping[str, Any]]
    tasks: tuple[str, ...]


def needs_of(grid: Grid) -> Needs:
    """Return what the notebooks of `grid` load, the defaults of their parameters among it.

    Networks that a notebook trains by itself are not loaded, nor is one for a file of embeddings.
    """
    models: dict[str, Mapping[str, Any]] = {}
    tasks: dict[str, None] = {}
    for entry in grid.entries():
        if entry.kept:  # what is drawn loads nothing
            continue
        defaults = {name: one.default for name, one in read_parameters(files.template_path(entry.analysis)).items()}
        parameters = defaults | dict(entry.parameters)
        tasks |= dict.fromkeys(re.sub(r"\+\w+:\d+\Z", "", task) for task in tasks_of(parameters))
        if _loads_a_network(entry.analysis, parameters):
            for one in (parameters, *others_of(parameters)):
                chosen = {name: one.get(name) for name in ("model", *files.MODEL_PARAMETERS)}
                models.setdefault(json.dumps(chosen, sort_keys=True), chosen)
    return Needs({files.labels(chosen)[1]: chosen for chosen in models.values()}, tuple(tasks))


def _loads_a_network(analysis: str, parameters: Mapping[str, Any]) -> bool:
    of_images = files.split_task(parameters.get("task") or "")[0] != "embeddings"
    return parameters.get("model") is not None and of_images and needs_features(analysis)
