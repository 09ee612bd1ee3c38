"""Commands that list what there is: ``models``, ``tasks``, ``notebooks``, ``grids``, ``parameters``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer

from diffred_core.cli._app import AsJson, app, show_json
from diffred_core.errors import InputError, near_names


@app.command()
def models(
    pattern: Annotated[str | None, typer.Argument(help="Names in timm to list, for example 'resnet50*'.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the models whose weights are installed; with a pattern, the pretrained ones that timm can download."""
    if pattern is None:
        from diffred_core import backbones

        forms = "torchvision:NAME, hf-hub:OWNER/NAME, local-dir:PATH, your own file.py:function"
        more = f"any of timm's: diffred models 'resnet*'; {forms}"
        show_names(backbones.embedded(), more=more, as_json=as_json)
        return
    import timm

    matching = timm.list_pretrained(pattern)
    if not matching:
        near = near_names(pattern.strip("*"), timm.list_models(pretrained=True))
        raise InputError(f"timm has no pretrained model {pattern!r}{near} (a pattern may hold *, as in 'resnet50*')")
    show_names(matching, as_json=as_json)


@app.command()
def tasks(as_json: AsJson = False) -> None:
    """List the tasks that need no path."""
    from diffred_core import datasets

    forms = "your own: folder:PATH (images), embeddings:PATH (.npz, .npy, .safetensors, .parquet)"
    show_names(datasets.names(every=True), more=forms, as_json=as_json)


@app.command()
def notebooks(as_json: AsJson = False) -> None:
    """List the notebooks that `diffred run` executes."""
    from diffred_core import files

    show_names(sorted(path.stem for path in files.templates_root().glob("*.ipynb")), as_json=as_json)


@app.command()
def grids(as_json: AsJson = False) -> None:
    """List the grids that `diffred grid` runs."""
    from diffred_core.running import grid_names

    show_names(grid_names(), as_json=as_json)


@app.command()
def parameters(
    analysis: Annotated[str, typer.Argument(help="Name of a notebook: see `diffred notebooks`.")],
    as_json: AsJson = False,
) -> None:
    """List the parameters of a notebook: name, type, default, meaning."""
    from diffred_core import files
    from diffred_core.running.notebook_parameters import read_parameters

    schema = read_parameters(files.template_path(analysis))
    if as_json:
        show_json([asdict(parameter) for parameter in schema.values()])
        return
    for p in schema.values():
        typer.echo(f"{p.name}: {p.kind} = {p.default!r}  {p.help}".rstrip())


def show_names(names: Iterable[str], *, more: str = "", as_json: bool) -> None:
    """Print `names`, a line each or as JSON, and to people what `more` there is."""
    if as_json:
        show_json(list(names))
        return
    typer.echo("\n".join(names))
    if more:
        typer.echo(f"... and {more}", err=True)
