"""Commands that compute one thing: ``run`` a notebook, ``extract`` features."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffred_core.cli._app import CORES, Checkpoint, Device, Model, RunFailure, Stamp, Task, Threads, app, stamp_file
from diffred_core.errors import InputError

if TYPE_CHECKING:
    from diffred_core.running.notebook_parameters import Parameter


@app.command()
def run(
    analysis: Annotated[str, typer.Argument(help="Name of a notebook: see `diffred notebooks`.")],
    model: Model = None,
    task: Task = None,
    parameter: Annotated[
        list[str], typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="See `diffred parameters ANALYSIS`.")
    ] = [],  # noqa: B006 (typer copies it)
    checkpoint: Checkpoint = None,
    device: Device = None,
    threads: Threads = CORES,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds that the whole run may take.")] = None,
    cell_timeout: Annotated[float | None, typer.Option(min=0, help="Seconds that one cell may take.")] = None,
    stamp: Stamp = None,
) -> None:
    """Execute one notebook for one model and task; the last good output stays if it fails."""
    from diffred_core import files
    from diffred_core.running.notebook_parameters import read_parameters

    template = files.template_path(analysis)
    schema = read_parameters(template)
    weights = None if checkpoint is None else str(checkpoint)
    named = {"model": model, "task": task, "checkpoint": weights, "device": device}
    parameters = {name: value for name, value in named.items() if value is not None}
    parameters |= parsed(parameter, schema, template=template.name)
    place = place_of(analysis, parameters, schema)
    _run_to_its_place(
        template, parameters, place, threads=threads, timeout=timeout, cell_timeout=cell_timeout, stamp=stamp
    )


@app.command()
def extract(
    model: Annotated[str, typer.Option(help="Name of the network: see `diffred models`.")],
    task: Annotated[str, typer.Option(help="Name of the task: see `diffred tasks`.")],
    checkpoint: Checkpoint = None,
    device: Device = None,
    threads: Threads = CORES,
    stamp: Stamp = None,
) -> None:
    """Compute the features of a model on a task, or read them if they are there; an interrupted one resumes."""
    from diffred_core.running.threads import thread_environment

    os.environ.update(thread_environment(threads))  # before the import of torch, which reads it
    from diffred_core import features

    layer = features.Source(model, task, checkpoint=checkpoint, device=device or "cpu").load()
    rows = ", ".join(f"{split} {len(y)}" for split, (_, y) in layer.splits.items())
    typer.echo(f"{layer.model} on {layer.task}: {layer.n_features} features, {layer.n_classes} classes, rows: {rows}")
    if stamp is not None:
        from diffred_core.running import write_stamp

        write_stamp(stamp_file(stamp), manifests(model, task, layer.keys.values()))


def features_folder(task: str, model: str) -> Path:
    """Return the folder of the feature stores of a model on a task."""
    from diffred_core import files

    return files.runs_root() / "features" / files.slug(task) / files.slug(model)


def manifests(model: str, task: str, keys: Iterable[str]) -> list[Path]:
    """Return the manifests of the feature stores with these keys; none for features that came from a file."""
    from diffred_core import files

    known, paths = set(keys), sorted(features_folder(task, model).rglob("manifest.json"))
    return [path for path in paths if (files.read_sealed(path) or {}).get("key") in known]


def parsed(texts: Sequence[str], schema: dict[str, Parameter], *, template: str) -> dict[str, object]:
    """Return the values that ``name=value`` texts stand for, read by the types of the notebook's parameters."""
    from diffred_core.running.notebook_parameters import checked

    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"-p takes name=value, got {text!r}; for example -p seed=1")
        values[name] = schema[name].parse(value) if name in schema else value
    return checked(values, schema, template=template)


def place_of(analysis: str, parameters: dict[str, object], schema: dict[str, Parameter]) -> tuple[str, str, str]:
    """Return task, model and analysis: what was given, else the notebook's default, else "summary"."""
    from diffred_core.files import SUMMARY

    def value(name: str) -> str:
        default = schema[name].default if name in schema else SUMMARY
        return str(parameters.get(name, default))

    return value("task"), value("model"), analysis


def _run_to_its_place(
    template: Path,
    parameters: dict[str, object],
    place: tuple[str, str, str],
    *,
    threads: int,
    timeout: float | None,
    cell_timeout: float | None,
    stamp: Path | None,
) -> None:
    from diffred_core import files
    from diffred_core.running import NotebookError, run_notebook
    from diffred_core.running.records import failed_path

    output = files.notebook_path(*place)
    try:
        record = run_notebook(
            template,
            parameters=parameters,
            output=output,
            record=files.record_path(*place),
            products=files.table_files(*place),
            threads=threads,
            timeout=timeout,
            cell_timeout=cell_timeout,
            progress=sys.stderr.isatty(),
        )
    except NotebookError as error:
        raise RunFailure(f"{error}; as far as it came: {failed_path(output)}") from error
    typer.echo(f"{output} ({record.seconds:.1f} s)")
    if stamp is not None:
        from diffred_core.running import write_stamp

        # not the provenance, whose times differ each run: equal results give equal stamps
        outputs = [name for name in record.outputs if not name.endswith(".provenance.json")]
        made = [files.runs_root() / name for name in outputs]
        write_stamp(stamp_file(stamp), made, record=files.record_path(*place))
