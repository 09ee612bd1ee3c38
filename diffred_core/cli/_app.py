"""The application that the commands register with, its errors as sentences, and the options they share."""

from __future__ import annotations

import json
import os
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from diffred_core.errors import InputError, needs


class Sentences(TyperGroup):
    """A group of commands whose expected errors print one sentence instead of a traceback."""

    def invoke(self, context: typer.Context) -> object:
        """Run the command; exit with 2 after bad input or where files fail it, and with 1 after a failed run."""
        try:
            with needs("run"):
                return super().invoke(context)
        except InputError as error:
            typer.echo(f"diffred: {error}", err=True)
            raise typer.Exit(2) from error
        except RunFailure as failure:
            typer.echo(f"diffred: {failure}", err=True)
            raise typer.Exit(1) from failure
        except BrokenPipeError:  # of who reads no more: typer leaves in silence
            raise
        except OSError as error:
            typer.echo(f"diffred: {_of_files(error)}", err=True)
            raise typer.Exit(2) from error


def _of_files(error: OSError) -> str:
    where = f" at {str(error.filename)!r}" if error.filename else ""
    return (
        f"expected files and folders that can be read and written, got {error.strerror or error}{where}; make room or "
        "give access, or set DIFFRED_RUNS to another folder"
    )


class RunFailure(Exception):
    """Something that was asked for was tried and failed; the message says what, why, and where to look."""


app = typer.Typer(
    cls=Sentences,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="How many dimensions of a frozen representation does a task need?",
)

Model = Annotated[str | None, typer.Option(help="Name of the network: see `diffred models`.")]
Task = Annotated[str | None, typer.Option(help="Name of the task: see `diffred tasks`.")]
ModelName = Annotated[str | None, typer.Option(help="What the network is called in tables and on pages.")]
TaskName = Annotated[str | None, typer.Option(help="What the task is called in tables and on pages.")]
Checkpoint = Annotated[Path | None, typer.Option(help="Local weights (.safetensors, .pth) of the network.")]
ModelArgs = Annotated[
    str | None, typer.Option(help="What the network is created with, as a dict: \"{'pad_type': 'same'}\".")
]
Preprocessing = Annotated[
    str | None,
    typer.Option(help="mean, std, input_size, interpolation, crop_pct instead of the network's own, as a dict."),
]
Classifier = Annotated[
    str | None, typer.Option(help="Layer whose input the features are, of a network that does not show it.")
]
Device = Annotated[str | None, typer.Option(help="Where to compute: cpu, cuda, cuda:1.")]
Precision = Annotated[str | None, typer.Option(help="In which the network computes features: fp32, bf16, fp16.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the linear algebra.")]
Stamp = Annotated[Path | None, typer.Option(hidden=True)]
GridName = Annotated[str, typer.Argument(help="Name of a file in workflow/grids/.", metavar="NAME")]
CORES = os.cpu_count() or 1


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"diffred {metadata.version('diffred-core')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options of the program itself."""


def show_json(value: object) -> None:
    """Print `value` for another program to read."""
    typer.echo(json.dumps(value, indent=1))


def stamp_file(stamp: Path) -> Path:
    """Return `stamp` taken from ``runs/`` on, as Snakemake names it."""
    from diffred_core import files

    return files.runs_root() / stamp
