"""What the names of tasks and models stand for under one ``runs/``: two different things never share a name.

Names are what tables, summaries and pages know. ``/a/birds`` and ``/b/birds`` are both ``folder:birds``: the first that
is run has the name, and the second is asked for one of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from diffred_core import files
from diffred_core.errors import InputError


def claim_names(parameters: Mapping[str, Any]) -> None:
    """Note what the names of task and model of a run with these `parameters` stand for.

    Raises
    ------
    InputError
        If one of them is the name of another task or model already.
    """
    if sentence := conflict(parameters, claim=True):
        raise InputError(sentence)


def conflict(parameters: Mapping[str, Any], *, claim: bool = False) -> str:
    """Return the sentence with which `claim_names` refuses these `parameters`, else an empty string.

    With `claim`, names that nothing has yet are noted.
    """
    for kind, path, meaning in _meanings(parameters):
        kept = files.remembered(path, partial(dict, meaning)) if claim or path.is_file() else meaning
        if kept != meaning:
            other = dict(kept).get("stands_for")
            return (
                f"expected a name of its own for the {kind} {meaning['stands_for']}, but {meaning['name']!r} is taken "
                f"by another {kind}, {other}; give it --{kind}-name (in a grid: name: ...), or remove {path} if the "
                "results under that name are not needed"
            )
    return ""


def _meanings(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """Yield ``task`` and ``model`` of a run, the file that keeps the name, and what it says."""
    whole = {"task": _whole_task, "model": _whole_model}
    for (kind, meaning), label in zip(whole.items(), files.labels(parameters), strict=True):
        if parameters.get(kind) is not None:
            path = files.runs_root() / "names" / f"{kind}s" / f"{files.slug(label)}.json"
            yield kind, path, {"name": label, "stands_for": meaning(parameters)}


def _whole_task(parameters: Mapping[str, Any]) -> str:
    kind, path, corruption = files.split_task(parameters["task"])
    return f"{kind}:{files.resolved(path)}{corruption}" if path else kind


def _whole_model(parameters: Mapping[str, Any]) -> str:
    chosen = {name: parameters.get(name) for name in files.MODEL_PARAMETERS if name != "model_name"}
    if chosen["checkpoint"] is not None:
        chosen["checkpoint"] = str(files.resolved(chosen["checkpoint"]))
    # of a mapping in the order of its names: YAML files and command lines write them in any
    settled = {n: dict(sorted(v.items())) if isinstance(v, Mapping) else v for n, v in chosen.items()}
    words = (f"{name}={value}" for name, value in settled.items() if value is not None)
    return ", ".join([parameters["model"], *words])
