"""What tasks, models and runs are called in tables, paths and pages."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffred_core.errors import InputError
from diffred_core.files._places import SUMMARY, resolved, slug


def model_label(
    model: str,
    *,
    checkpoint: Path | str | None = None,
    model_name: str | None = None,
    model_args: object = None,
    preprocessing: object = None,
    classifier: str | None = None,
) -> str:
    """Return what a model is called in tables, paths and pages: `model_name`, else its short name and what was chosen.

    Other weights, arguments, preprocessing or features than a name stands for never take the place of its own.

    Examples
    --------
    >>> model_label("resnet50.a1_in1k", checkpoint="weights/l2_eps3.safetensors")
    'resnet50.a1_in1k@l2_eps3'
    >>> model_label("mobilenetv2_100", model_args={"pad_type": "same"}, preprocessing={"mean": [0.5, 0.5, 0.5]})
    'mobilenetv2_100@mean=0.5-0.5-0.5,pad_type=same'
    """
    if model_name:
        return model_name
    chosen = [] if checkpoint is None else [Path(checkpoint).stem]
    if settings := _settings(model_args) + _settings(preprocessing) + _settings({"classifier": classifier}):
        text = ",".join(sorted(settings))
        # A name that no eye takes in is a digest.
        chosen.append(text if len(text) <= LONGEST_SETTINGS else hashlib.sha256(text.encode()).hexdigest()[:8])
    return "@".join([short_model(model), *filter(None, [",".join(chosen)])])


def _settings(chosen: object) -> list[str]:
    """Return ``name=value`` for every entry that is something."""
    entries = chosen if isinstance(chosen, Mapping) else {"value": chosen}
    return [
        f"{name}={'-'.join(map(str, value)) if isinstance(value, (list, tuple)) else value}"
        for name, value in entries.items()
        if value is not None
    ]


LONGEST_SETTINGS = 48  # characters


def short_model(model: str) -> str:
    """Return `model` with the last part of a path only: what it is called where no other name is chosen.

    Examples
    --------
    >>> short_model("local-dir:/data/nets/mine"), short_model("nets/wide.py:make"), short_model("hf-hub:timm/resnet18")
    ('local-dir:mine', 'wide.py:make', 'hf-hub:timm/resnet18')
    """
    kind, _, folder = model.partition(":")
    if kind == "local-dir":
        return f"{kind}:{Path(folder).expanduser().resolve().name}"
    place, _, function = model.rpartition(":")
    return f"{Path(place).name}:{function}" if place.endswith(".py") else model


def split_task(task: str) -> tuple[str, str, str]:
    """Return kind, path and corruption of a task that names a place on disk, the last two empty for others.

    Examples
    --------
    >>> split_task("folder:/data/of/birds+noise:1"), split_task("digits+noise:1")
    (('folder', '/data/of/birds', '+noise:1'), ('digits+noise:1', '', ''))
    """
    kind, colon, path = task.partition(":")
    if not colon or kind not in PATH_TASKS:
        return task, "", ""
    corruption = "".join(re.findall(r"\+\w+:\d+\Z", path))
    return kind, path.removesuffix(corruption), corruption


def task_label(task: str, *, task_name: str | None = None) -> str:
    """Return what a task is called in tables, paths and pages: `task_name`, else `task` with the last part of a path.

    Examples
    --------
    >>> task_label("folder:/data/of/birds"), task_label("embeddings:mine.npz"), task_label("digits+noise:1")
    ('folder:birds', 'embeddings:mine', 'digits+noise:1')
    """
    if task_name:
        return task_name
    kind, path, corruption = split_task(task)
    if not path:
        return task
    place = resolved(path)
    return f"{kind}:{place.name if kind == 'folder' else place.stem}{corruption}"


def labels(parameters: Mapping[str, Any]) -> tuple[str, str]:
    """Return task and model of a run as the book calls them, by its parameters; "summary" for one over all of them."""
    task, model = parameters.get("task"), parameters.get("model")
    chosen = {name: parameters.get(name) for name in MODEL_PARAMETERS}
    return (
        SUMMARY if task is None else task_label(task, task_name=parameters.get("task_name")),
        SUMMARY if model is None else model_label(model, **chosen),
    )


MODEL_PARAMETERS = ("checkpoint", "model_name", "model_args", "preprocessing", "classifier")
"""What says, beside its name, which model a run is of."""
MODEL_KEYS = {"model": "model"} | {("name" if key == "model_name" else key): key for key in MODEL_PARAMETERS}
"""What a model in a list may be given by, in a grid file or in ``other_models``, and the parameter that each is."""


def model_parameters(model: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that stand for a `model` of a list: a name, or a mapping with some of `MODEL_KEYS`.

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> model_parameters({"model": "mobilenetv2_100", "name": "of birds", "checkpoint": "weights/birds.safetensors"})
    {'model': 'mobilenetv2_100', 'model_name': 'of birds', 'checkpoint': 'weights/birds.safetensors'}
    """
    if isinstance(model, str):
        return {"model": model}
    if "model" not in model or not set(model) <= set(MODEL_KEYS):
        raise InputError(
            f"expected a model as a name or a mapping with model and any of {', '.join(list(MODEL_KEYS)[1:])}, got "
            f"{model!r}; write it so"
        )
    return {MODEL_KEYS[key]: value for key, value in model.items() if value is not None}


PATH_TASKS = ("folder", "embeddings")  # forms of a task that name a place on disk
# Parameters that say what a run is of and where it is computed: all others make a variant of it.
NOT_VARIED = ("task", "task_name", "model", *MODEL_PARAMETERS, "device")


def difference(parameters: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `parameters` in which a run differs from the one that has the `plain` place, `NOT_VARIED` aside."""
    return {
        name: value
        for name, value in parameters.items()
        if name not in NOT_VARIED and (name not in plain or value != plain[name])
    }


def run_name(analysis: str, variant: Mapping[str, object] | None = None) -> str:
    """Return the file name of a run of `analysis`, without suffix: the parameters of a variant follow it, readable.

    What is long, or has characters that a file name has not, is cut, and six digits of a digest keep it apart.

    Examples
    --------
    >>> run_name("subset_probes"), run_name("subset_probes", {"n_seeds": 3})
    ('subset_probes', 'subset_probes.n_seeds-3')
    """
    if not variant:
        return analysis
    words = ".".join(f"{name}-{value}" for name, value in variant.items())
    safe = ".".join(f"{name}-{slug(str(value))}" for name, value in variant.items())[:60].rstrip("-.")
    if safe == words:
        return f"{analysis}.{safe}"
    digest = hashlib.sha256(json.dumps(dict(variant), default=str).encode()).hexdigest()
    return f"{analysis}.{safe}-{digest[:6]}"


def in_words(variant: Mapping[str, object]) -> str:
    """Return the parameters of a variant as a page names them, ``n_seeds = 3``, cut where they are many."""
    words = ", ".join(f"{name} = {value}" for name, value in variant.items())
    return words if len(words) <= 80 else f"{words[:77]}..."
