"""Which runs of the grid may enter the book, why the others may not, and where their pages lie."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from diffred_core import files
from diffred_core.errors import InputError
from diffred_core.results.readable import cell_name
from diffred_core.running import sources
from diffred_core.running.records import Record, failed_path, read_record, relative_name

if TYPE_CHECKING:
    from diffred_core.running import Entry

State = Literal["good", "stale", "failed", "missing"]


@dataclass(frozen=True, order=True)
class GridCell:
    """One analysis of one task and model: one cell of the grid, one page of the book.

    Parameters
    ----------
    run_name : str
        Name of its files: that of the analysis, for a variant (`running.Entry`) with what follows it.
    variant : str
        In which parameters a variant differs, in words; empty for the run that has the plain place.
    """

    analysis: str
    task: str
    model: str
    run_name: str
    variant: str = field(default="", compare=False)

    @classmethod
    def of(cls, entry: Entry) -> GridCell:
        """Return the cell of an entry of a grid."""
        return cls(entry.analysis, entry.task, entry.model, entry.place[2], files.in_words(entry.variant))

    @property
    def place(self) -> tuple[str, str, str]:
        """Task, model and name of the run, in the order of the paths of `files`."""
        return self.task, self.model, self.run_name

    @property
    def is_summary(self) -> bool:
        """Whether the analysis reads all tasks and models."""
        return self.task == self.model == files.SUMMARY

    @property
    def title(self) -> str:
        """What people read, ``EfficientNet-Lite0 on solar cells``; of a summary ``all models and tasks``.

        Of a variant its parameters too.
        """
        return self.titled("all models and tasks" if self.is_summary else cell_name(self.model, self.task))

    @property
    def page(self) -> str:
        """Name of its page in the staged book, without a suffix."""
        if self.is_summary:
            return f"results/{files.slug(self.run_name)}"
        return f"results/{self.analysis}/{self._stem}{files.slug(self.run_name).removeprefix(self.analysis)}"

    def download(self, suffix: str) -> str:
        """Return where its file with `suffix` lies in the staged book."""
        return f"downloads/{'' if self.is_summary else self._stem + '--'}{files.slug(self.run_name)}{suffix}"

    def titled(self, title: str) -> str:
        """Return `title`, and behind it the parameters of a variant."""
        return f"{title} ({self.variant})" if self.variant else title

    @property
    def _stem(self) -> str:
        return f"{files.slug(self.task)}--{files.slug(self.model)}"


@dataclass(frozen=True)
class CellRun:
    """The state of one cell, with what a page needs if there is something to show.

    Parameters
    ----------
    cell : GridCell
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

    cell: GridCell
    state: State
    reason: str = ""
    record: Record | None = None
    notebook: dict[str, Any] | None = None

    @property
    def has_page(self) -> bool:
        """Whether the book shows a page for this run."""
        return self.notebook is not None and self.record is not None

    @property
    def whole(self) -> tuple[dict[str, Any], Record]:
        """The executed notebook and its record, of a run that has a page."""
        if self.notebook is None or self.record is None:
            raise InputError(f"expected a run with a page, got {self.cell.title} ({self.reason}); run it again")
        return self.notebook, self.record


def find_runs(entries: Iterable[Entry]) -> list[CellRun]:
    """Return the run of every entry of the grid and of every record on disk, sorted by analysis, task and model."""
    listed = {GridCell.of(entry) for entry in entries}
    cells = listed | set(_recorded_cells({files.record_path(*cell.place) for cell in listed}))
    code = functools.cache(lambda template: sources.code_digest([template]))
    return [_read_run(cell, code) for cell in sorted(cells)]


def by_analysis(runs: Iterable[CellRun]) -> dict[str, list[CellRun]]:
    """Return the runs of each analysis, from runs in the order of `find_runs`."""
    return {name: list(group) for name, group in itertools.groupby(runs, key=lambda run: run.cell.analysis)}


def _read_run(cell: GridCell, code: Callable[[Path], str]) -> CellRun:
    """Return the state of `cell` by its record, notebook and table; `code` digests what a template rests on."""
    record_file = files.record_path(*cell.place)
    failure = _failure(failed_path(record_file))
    if not record_file.is_file():
        return CellRun(cell, "failed", failure) if failure else CellRun(cell, "missing", "It has not been run.")
    try:
        record = read_record(record_file)
        _check_outputs(record, files.notebook_path(*cell.place))
        notebook = _whole_notebook(files.notebook_path(*cell.place))
    except InputError as error:
        return CellRun(cell, "failed", _sentence(error))
    if failure:
        reason = f"The last attempt failed, the page shows the run before it. {failure}"
        return CellRun(cell, "failed", reason, record, notebook)
    reason = _stale_reason(record, files.template_path(cell.analysis), code)
    return CellRun(cell, "stale" if reason else "good", reason, record, notebook)


def _recorded_cells(listed: Container[Path]) -> Iterator[GridCell]:
    """Yield the cells of the records of whole runs, those at the paths `listed` aside.

    The parameters of a record keep the names that the file names lost; what is no record has its file names alone.
    """
    for path in (files.runs_root() / "records").glob("*/*/*.json"):
        if path.name.endswith(".failed.json") or path in listed:
            continue
        yield _recorded_cell(path)


def _recorded_cell(path: Path) -> GridCell:
    task, model = path.parts[-3:-1]
    try:
        record = read_record(path)
    except InputError:
        return GridCell(path.stem.partition(".")[0], task, model, path.stem)
    labels = files.labels({"task": task, "model": model} | record.parameters)
    if (task, model) != (files.SUMMARY, files.SUMMARY) and tuple(map(files.slug, labels)) == (task, model):
        task, model = labels
    analysis = record.template.removesuffix(".ipynb")
    return GridCell(analysis, task, model, path.stem, files.in_words(record.variant or {}))


def _whole_notebook(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                raise InputError(f"cell {number} raised {output['ename']}: {output['evalue']}")
        if cell.get("execution_count") is None:
            raise InputError(f"cell {number} was not executed")
    return notebook


def _check_outputs(record: Record, notebook: Path) -> None:
    outputs = record.outputs or {}
    if relative_name(notebook) not in outputs:
        raise InputError("the record is not that of an executed notebook; run the cell again")
    for name in files.changed(outputs, files.runs_root()):
        raise InputError(f"{name} is not the file that the run wrote; run the cell again")


def _stale_reason(record: Record, template: Path, code: Callable[[Path], str]) -> str:
    if not template.is_file():
        return f"The template notebooks/{template.name} does not exist any more."
    if record.template_sha256 != files.sha256(template):
        return f"The template notebooks/{template.name} has changed since."
    if record.code_sha256 != code(template):
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
