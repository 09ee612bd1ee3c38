"""Commands that compute one thing: ``run`` a notebook, ``extract`` features."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffred_core.cli._app import (
    CORES,
    Checkpoint,
    Classifier,
    Device,
    Model,
    ModelArgs,
    ModelName,
    Precision,
    Preprocessing,
    RunFailure,
    Stamp,
    Task,
    TaskName,
    Threads,
    app,
    stamp_file,
)
from diffred_core.errors import InputError

if TYPE_CHECKING:
    from diffred_core.running import Entry
    from diffred_core.running.notebook_parameters import Parameter

LAST = "subset_probes"  # reads the last layer of one model on one task, no more
Parameters = Annotated[
    list[str], typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="See `diffred parameters ANALYSIS`.")
]


@app.command()
def run(
    analysis: Annotated[str, typer.Argument(help="Name of a notebook: see `diffred notebooks`.")],
    model: Model = None,
    task: Task = None,
    parameter: Parameters = [],  # noqa: B006 (typer copies it)
    model_name: ModelName = None,
    task_name: TaskName = None,
    checkpoint: Checkpoint = None,
    model_args: ModelArgs = None,
    preprocessing: Preprocessing = None,
    classifier: Classifier = None,
    grid: Annotated[str | None, typer.Option(help="Of a summary: the grid whose tables it reads.")] = None,
    kept: Annotated[str | None, typer.Option(metavar="GRID", help="Draw the table that a grid has kept.")] = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = CORES,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds that the whole run may take.")] = None,
    cell_timeout: Annotated[float | None, typer.Option(min=0, help="Seconds that one cell may take.")] = None,
    stamp: Stamp = None,
) -> None:
    """Execute one notebook for one model and task; the last good output stays if it fails.

    Notebook, table and record go to runs/, under the names of task and model. With other parameters than the grids
    list for them, or else than the defaults, the run is kept beside that one: subset_probes.n_seeds-3.
    """
    from diffred_core.running import claim_names, run_entry

    named = {"model": model, "task": task, "model_name": model_name, "task_name": task_name}
    named |= {"model_args": model_args, "preprocessing": preprocessing, "classifier": classifier}
    named |= {"checkpoint": checkpoint, "device": device, "precision": precision}
    template, schema, parameters = _called(analysis, named, parameter, computed=kept is None)
    entry = run_entry(analysis, parameters, grid=grid, kept=kept)
    claim_names({name: one.default for name, one in schema.items()} | parameters)
    _run_to_its_place(
        template, entry, grid=grid, threads=threads, timeout=timeout, cell_timeout=cell_timeout, stamp=stamp
    )


@app.command()
def extract(
    analysis: Annotated[str, typer.Argument(help="The notebook that reads them; by default the last layer.")] = LAST,
    model: Model = None,
    task: Task = None,
    parameter: Parameters = [],  # noqa: B006 (typer copies it)
    model_name: ModelName = None,
    task_name: TaskName = None,
    checkpoint: Checkpoint = None,
    model_args: ModelArgs = None,
    preprocessing: Preprocessing = None,
    classifier: Classifier = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = CORES,
    stamp: Stamp = None,
) -> None:
    """Compute the features that a notebook reads, or find them kept; an interrupted extraction resumes."""
    from diffred_core.running import load_features, write_stamp
    from diffred_core.running.threads import thread_environment

    os.environ.update(thread_environment(threads))  # before the import of torch, which reads it
    from diffred_core import features

    named = {"model": model, "task": task, "model_name": model_name, "task_name": task_name}
    named |= {"model_args": model_args, "preprocessing": preprocessing, "classifier": classifier}
    named |= {"checkpoint": checkpoint, "device": device, "precision": precision}
    template, _, parameters = _called(analysis, named, parameter)
    os.environ["DIFFRED_TERMINAL"] = features.STDERR
    with features.whole_stores() as stores:
        load_features(template, parameters)
    typer.echo(f"{len(stores)} feature stores are whole, all that {analysis} reads")
    if stamp is not None:
        write_stamp(stamp_file(stamp), [store.manifest for store in stores])


def _called(
    analysis: str, named: Mapping[str, object], texts: Sequence[str], *, computed: bool = True
) -> tuple[Path, dict[str, Parameter], dict[str, object]]:
    """Return the notebook of `analysis`, its parameters, and the values that options and ``-p`` give to them.

    The files that they name must be there, unless nothing is `computed` from them.
    """
    from diffred_core import files
    from diffred_core.running import check_there
    from diffred_core.running.notebook_parameters import read_parameters

    template = files.template_path(analysis)
    schema = read_parameters(template)
    options = [f"{name}={value}" for name, value in named.items() if value is not None]
    parameters = parsed([*options, *texts], schema, template=template.name)
    if not computed:
        return template, schema, parameters
    check_there({name: one.default for name, one in schema.items()} | parameters)
    if (weights := named.get("checkpoint")) is not None:
        from diffred_core import backbones

        backbones.check_checkpoint(weights)
    return template, schema, parameters


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


def _run_to_its_place(
    template: Path,
    entry: Entry,
    *,
    grid: str | None,
    threads: int,
    timeout: float | None,
    cell_timeout: float | None,
    stamp: Path | None,
) -> None:
    from diffred_core import files
    from diffred_core.running import NotebookError, run_notebook, tables_of
    from diffred_core.running.records import failed_path

    place = entry.place
    variables = {} if grid is None else {name: json.dumps(value) for name, value in tables_of(grid).items()}
    output = files.notebook_path(*place)
    try:
        record = run_notebook(
            template,
            parameters=entry.parameters,
            output=output,
            record=files.record_path(*place),
            products=files.table_files(*place),
            variant=entry.variant,
            variables=variables,
            kept=entry.kept,
            grid=grid,
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
