"""``prepare``: what a grid reads from outside is fetched, and what was put there by hand is checked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from diffred_core.cli._app import GridName, RunFailure, app
from diffred_core.errors import InputError
from diffred_core.files import DEFAULT_GRID

if TYPE_CHECKING:
    from diffred_core.running import Grid

ANY_SIZE = 224  # pixels


@app.command()
def prepare(name: GridName = DEFAULT_GRID) -> None:
    """Fetch the weights and images of a grid and check those put there by hand: after it no run needs a network.

    One line for each; exits with 1 if something is missing or not what it should be.
    """
    from diffred_core import files
    from diffred_core.running import read_grid

    failed, needed = 0, list(steps(read_grid(name)))
    for what, make_ready in needed:
        try:
            with contextlib.chdir(files.working_root()):  # where runs resolve paths
                make_ready()
        except InputError as error:
            failed += 1
            typer.echo(f"missing  {what}: {error}")
        else:
            typer.echo(f"ready    {what}")
    if failed:
        raise RunFailure(
            f"{failed} of {len(needed)} weights and tasks of the grid {name} are not ready; the lines above say why"
        )


def steps(grid: Grid) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield every network and task of `grid` by name, and what fetches or checks it."""
    from diffred_core.running import needs_of

    needs = needs_of(grid)
    yield from ((f"model {name}", partial(load_model, **chosen)) for name, chosen in needs.models.items())
    yield from ((f"task {task}", partial(load_task, task)) for task in needs.tasks)


def load_model(model: str, *, checkpoint: str | None = None, model_name: str | None = None, **chosen: Any) -> None:
    """Load a network once, which downloads its weights; a registered file has the registered digest.

    Raises
    ------
    InputError
        If the weights are missing, cannot be had, have another digest, or do not fit.
    """
    from diffred_core import backbones, files
    from diffred_core.running import check_there, material_at

    check_there({"checkpoint": checkpoint})
    if checkpoint is not None and (registered := material_at(checkpoint)) is not None:
        registered.check_whole()
    path = None if checkpoint is None else files.resolved(checkpoint)
    # a network that a function makes takes the size of the task's images: here any will do
    of_task = (chosen.get("preprocessing") or {}).get("input_size") is None
    backbones.load(model, checkpoint=path, image_size=ANY_SIZE if of_task else None, **chosen)


def load_task(task: str) -> None:
    """Read a task once, which downloads it; a registered folder has the registered number of images.

    Raises
    ------
    InputError
        If it is missing, cannot be had or read, or a folder has another number of images.
    """
    from diffred_core import datasets, features, files
    from diffred_core.running import check_there, material_at

    check_there({"task": task})
    kind, path, _ = files.split_task(task)
    if kind == "embeddings":
        features.Source("any", task).load()
        return
    dataset = datasets.load(task)
    if path and (registered := material_at(path)) is not None:
        registered.check_whole(images=len(dataset.y))
