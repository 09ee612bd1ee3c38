"""A checkout of a few small notebooks that need no data, for the tests of running: runner, grid, command line."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import nbformat

T = TypeVar("T")
PROJECT = Path(__file__).parents[1]
PARAMETERS = """\
model: str = "m"  # which network
task: str = "t"  # which data
times: int = 2  # how often
"""


def write_notebook(path: Path, *cells: str, parameters: str | None = PARAMETERS) -> Path:
    """Write a notebook of code `cells` under a title, after its `parameters` cell unless that is None."""
    nodes = [nbformat.v4.new_markdown_cell(f"# {path.stem}", id="title")]
    if parameters is not None:
        nodes.append(nbformat.v4.new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]}))
    nodes += [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(cells)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=nodes), path)
    return path


def make_checkout(root: Path) -> Path:
    """Write a checkout under `root` with the project's own workflow, notebooks `hello` and `total`, and grid `tiny`."""
    (root / "book").mkdir(parents=True)
    (root / "_config.yml").touch()
    (root / "CHANGELOG.md").touch()
    shutil.copytree(PROJECT / "workflow", root / "workflow")
    write_notebook(root / "notebooks" / "hello.ipynb", "print(model, 'on', task, times)")
    write_notebook(root / "notebooks" / "total.ipynb", "print('all')", parameters="times: int = 1  # how often")
    (root / "workflow" / "grids" / "tiny.yml").write_text(
        "models: [a/b, c]\ntasks: [t]\nanalyses: {hello: {times: 3}}\nafter: {total: {}}\n"
    )
    return root


def outputs_of(path: Path) -> str:
    """Return everything that the code cells of the notebook at `path` have put out, as text."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.get("text", "") or str(output.get("data", "")) for output in outputs)


def wait_for(condition: Callable[[], T], seconds: float = 40.0) -> T:
    """Return what `condition` gives as soon as that is true."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if value := condition():
            return value
        time.sleep(0.05)
    raise TimeoutError


def is_running(process: int) -> bool:
    """Return whether the process with this number exists and has not ended."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    return False
