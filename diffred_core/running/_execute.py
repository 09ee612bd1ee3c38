"""Execute a notebook with papermill and judge the result; a failure comes back as one sentence."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diffred_core.errors import InputError
from diffred_core.running._kernel import KERNEL_NAME, Kernel

if TYPE_CHECKING:
    from nbformat import NotebookNode


@dataclass(frozen=True)
class Limits:
    """What a run may use, and whether it shows its progress (see `run_notebook`)."""

    threads: int
    cell_timeout: float | None
    timeout: float | None
    progress: bool


def execute(
    notebook: NotebookNode,
    part: Path,
    *,
    parameters: Mapping[str, object],
    kernel: Kernel,
    cwd: Path,
    limits: Limits,
) -> str | None:
    """Execute `notebook` into the file `part` and return None, or why it failed.

    papermill's own metadata cannot be trusted: after a dead kernel or a timeout it calls every cell completed. So
    a run is good only if papermill returned normally, and every code cell was executed, and none put out an error.

    Raises
    ------
    InputError
        If a cell raised it, with the same sentence.
    """
    import papermill

    # Its own reading of the parameters cell misses `X | None`; ours has refused unknown names before.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        done = papermill.execute_notebook(
            notebook,
            _literal(part),
            parameters=dict(parameters),
            kernel_name=KERNEL_NAME,
            language="python",
            progress_bar=limits.progress,
            start_timeout=120,
            execution_timeout=limits.cell_timeout,
            km=kernel.manager,
            resources={"metadata": {"path": str(cwd)}},  # papermill's own `cwd` changes folder for the whole process
            record_timing=False,
        )
    except papermill.PapermillExecutionError as error:
        if error.ename == InputError.__name__:  # bad input of the caller's: the library's own sentence says it best
            raise InputError(error.evalue) from error
        return f"{error.ename}: {_first_line(error.evalue)}"
    except Exception as error:
        return _reason(error, limits)
    return judge(done)


def judge(notebook: NotebookNode) -> str | None:
    """Return None if every code cell of `notebook` was executed without an error, else what is wrong."""
    cells = code_cells(notebook)
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error":
                return f"{output.ename}: {_first_line(output.evalue)}"
    missing = sum(cell.execution_count is None for cell in cells)
    return f"{missing} of its {len(cells)} code cells did not run" if missing else None


def failing_cell(notebook: NotebookNode) -> str:
    """Return which code cell of `notebook` was the last to start, as ``code cell 2 of 9 (first line)``."""
    cells = code_cells(notebook)
    started = [i for i, cell in enumerate(cells) if cell.execution_count is not None]
    if not started:
        return "before its first cell"
    last = started[-1]
    return f"in code cell {last + 1} of {len(cells)} ({_first_line(cells[last].source)})"


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells of `notebook` that hold code to run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def _literal(path: Path) -> str:
    # papermill fills {names} into its paths, so braces in a folder's name must be doubled.
    return str(path).replace("{", "{{").replace("}", "}}")


def _reason(error: Exception, limits: Limits) -> str:
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    if isinstance(error, DeadKernelError):
        return "the kernel died, as it does when memory runs out"
    if isinstance(error, CellTimeoutError):
        return f"the cell took longer than {limits.cell_timeout:g} s"
    return f"{type(error).__name__}: {_first_line(str(error))}"


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()] or [""]
    return lines[0] if len(lines[0]) <= 160 else f"{lines[0][:157]}..."
