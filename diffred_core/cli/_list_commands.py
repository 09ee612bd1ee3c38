"""Commands that list what there is: ``models``, ``tasks``, ``parameters``."""

from __future__ import annotations

from typing import Annotated

import typer

from diffred_core.cli._app import app
from diffred_core.errors import InputError


@app.command()
def models(
    pattern: Annotated[str | None, typer.Argument(help="Names in timm to list, for example 'resnet50*'.")] = None,
) -> None:
    """List the models whose weights are installed; with a pattern, the pretrained ones that timm can download."""
    if pattern is None:
        from diffred_core import backbones

        typer.echo("\n".join(backbones.embedded()))
        typer.echo("... and any of timm's: diffred models 'resnet*'", err=True)
        return
    import timm

    found = timm.list_pretrained(pattern)
    if not found:
        raise InputError(f"timm has no pretrained model {pattern!r}; a pattern may hold *, for example 'resnet50*'")
    typer.echo("\n".join(found))


@app.command()
def tasks() -> None:
    """List the tasks that need no path."""
    from diffred_core import datasets

    typer.echo("\n".join(datasets.names(every=True)))
    typer.echo("... and your own: folder:PATH (images), embeddings:PATH (.npz, .npy, .safetensors, .parquet)", err=True)


@app.command()
def parameters(
    analysis: Annotated[str, typer.Argument(help="Name of a notebook in notebooks/, without .ipynb.")],
) -> None:
    """List the parameters of a notebook: name, type, default, meaning."""
    from diffred_core import files
    from diffred_core.running.notebook_parameters import read_parameters

    for p in read_parameters(files.template_path(analysis)).values():
        typer.echo(f"{p.name}: {p.kind} = {p.default!r}  {p.help}".rstrip())
