"""Which runs of the grid may enter the book, and why the others may not."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from diffred_core import files
from diffred_core.errors import InputError
from diffred_core.running import sources
from diffred_core.running.records import Record, failed_path, read_record

if TYPE_CHECKING:
    from diffred_core.running import Entry

State = Literal["good", "stale", "failed", "missing"]


@dataclass(frozen=True, order=True)
class Cell:
    """One analysis of one task and model: one cell of the grid, one page of the book."""

    analysis: str
    task: str
    model: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Task, model and analysis, in the order of the paths of `files`."""
        return self.task, self.model, self.analysis

    @property
    def is_summary(self) -> bool:
        """Whether the analysis reads all tasks and models."""
        return self.task == self.model == files.SUMMARY

    @property
    def title(self) -> str:
        """``model on task``; for a summary, which may be of anything, that it stands for all of them."""
        return "all models and tasks" if self.is_summary else f"{self.model} on {self.task}"


@dataclass(frozen=True)
class Run:
    """The state of one cell, with what a page needs if there is something to show.

    Parameters
    ----------
    cell : Cell
        Which.
    state : {"good", "stale", "failed", "missing"}
        ``stale``: whole, but template or code have changed since. ``failed``: the last attempt failed.
    reason : str
        One sentence unless the state is good.
    record : Record or None
        Of the last whole run, also when a later attempt failed.
    notebook : dict or None
        The executed notebook of that run; None if there is nothing fit to show.
    """

    cell: Cell
    state: State
    reason: str = ""
    record: Record | None = None
    notebook: dict[str, Any] | None = None

    @property
    def has_page(self) -> bool:
        """Whether the book shows a page for this run."""
        return self.notebook is not None and self.record is not None


def find_runs(entries: Iterable[Entry]) -> list[Run]:
    """Return the run of every entry of the grid and of every record on disk, sorted by analysis, task and model."""
    listed = {Cell(entry.analysis, entry.task, entry.model) for entry in entries}
    known = {files.record_path(*cell.place) for cell in listed}
    return [read_run(cell) for cell in sorted({*listed, *_recorded_cells(known)})]


def read_run(cell: Cell) -> Run:
    """Return the state of `cell` from its record, its notebook and its table under ``runs/``."""
    record_file = files.record_path(*cell.place)
    failure = _failure(failed_path(record_file))
    if not record_file.is_file():
        return Run(cell, "failed", failure) if failure else Run(cell, "missing", "It has not been run.")
    try:
        record = read_record(record_file)
        notebook = _whole_notebook(files.notebook_path(*cell.place))
        _check_outputs(record)
    except InputError as error:
        return Run(cell, "failed", _sentence(error))
    if failure:
        return Run(
            cell, "failed", f"The last attempt failed, the page shows the run before it. {failure}", record, notebook
        )
    reason = _stale_reason(record, cell.analysis)
    return Run(cell, "stale" if reason else "good", reason, record, notebook)


def notebook_problem(notebook: dict[str, Any]) -> str:
    """Return why an executed notebook is not whole, in one sentence, or an empty string."""
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        errors = [output for output in cell["outputs"] if output["output_type"] == "error"]
        if errors:
            return f"cell {number} raised {errors[0]['ename']}: {errors[0]['evalue']}"
        if cell.get("execution_count") is None:
            return f"cell {number} was not executed"
    return ""


def messages(notebook: dict[str, Any]) -> str:
    """Return what the cells of an executed notebook wrote to stderr."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    return "".join("".join(output["text"]) for output in outputs if output.get("name") == "stderr").strip()


def _recorded_cells(known: Container[Path]) -> Iterator[Cell]:
    """Yield the cells of the records of whole runs, the `known` ones aside.

    The parameters of a record keep the names that the file names lost; what is no record has its file names alone.
    """
    for path in (files.runs_root() / "records").glob("*/*/*.json"):
        if path.name.endswith(".failed.json") or path in known:
            continue
        task, model = path.parts[-3:-1]
        try:
            parameters = read_record(path).parameters
        except InputError:
            parameters = {}
        if (task, model) != (files.SUMMARY, files.SUMMARY):
            task, model = (str(parameters.get(name, slug)) for name, slug in (("task", task), ("model", model)))
        yield Cell(path.stem, task, model)


def _whole_notebook(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError("the record stands without its notebook; run the cell again")
    try:
        notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError("the notebook of the record is cut short; run the cell again") from error
    if problem := notebook_problem(notebook):
        raise InputError(problem)
    return notebook


def _check_outputs(record: Record) -> None:
    for name, digest in (record.outputs or {}).items():
        path = files.runs_root() / name
        if not path.is_file() or files.sha256(path) != digest:
            raise InputError(f"{name} is not the file that the run wrote; run the cell again")


def _stale_reason(record: Record, analysis: str) -> str:
    template = files.template_path(analysis)
    if not template.is_file():
        return f"The template notebooks/{template.name} does not exist any more."
    if record.template_sha256 != files.sha256(template):
        return f"The template notebooks/{template.name} has changed since."
    if record.code_sha256 != sources.code_digest([template]):
        return "Code that the notebook imports has changed since."
    return ""


def _failure(path: Path) -> str:
    """Return the sentence of the failed attempt recorded at `path`, or an empty string."""
    if not path.is_file():
        return ""
    try:
        return read_record(path).error or "The attempt left no message."
    except InputError:
        return "The attempt left no message that can be read."


def _sentence(error: InputError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
