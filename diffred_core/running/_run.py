"""Run one notebook safely: the previous good output stays until a new one is whole."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import nbformat

from diffred_core import files, provenance
from diffred_core.errors import InputError
from diffred_core.running import sources
from diffred_core.running._drawn import drawing
from diffred_core.running._execute import Limits, execute, failing_cell
from diffred_core.running._interrupts import sigterm_as_exit
from diffred_core.running._kernel import private_kernel
from diffred_core.running._products import put_back, state_of
from diffred_core.running._scrub import scrub
from diffred_core.running.notebook_parameters import checked, read_parameters
from diffred_core.running.records import Record, failed_path


class NotebookError(RuntimeError):
    """A notebook did not run to its end; the message is one sentence that names the cell and the cause."""


def run_notebook(
    template: Path | str,
    *,
    parameters: Mapping[str, object] | None = None,
    output: Path | str,
    record: Path | str | None = None,
    products: Sequence[Path] = (),
    variant: Mapping[str, object] | None = None,
    variables: Mapping[str, str] | None = None,
    kept: str | None = None,
    grid: str | None = None,
    threads: int = 1,
    cell_timeout: float | None = None,
    timeout: float | None = None,
    progress: bool = False,
) -> Record:
    """Execute the notebook `template` with `parameters` into `output`, or leave everything as it was.

    Parameters
    ----------
    template : path
        Notebook with a cell tagged ``parameters`` (see `notebook_parameters`).
    parameters : mapping, optional
        Values by name; what is left out keeps the template's default.
    output : path
        Where the executed notebook goes, by rename, once it is whole.
    record : path, optional
        Where the record goes, last of all; by default ``<output>.json`` beside the notebook.
    products : sequence of path, default=()
        Files that the notebook may write, its table first, of which the kernel is told where it goes; those it wrote
        are listed in the record with their digests.
    variant : mapping, optional
        The parameters in which the run differs from the one that has the plain place (`Entry`), for the record.
    variables : mapping, optional
        Environment variables of the kernel.
    kept : str, optional
        A grid: its kept table is drawn, and nothing computed.
    grid : str, optional
        The grid whose tables `variables` name, for the record.
    threads : int, default=1
        Threads of the kernel's linear algebra.
    cell_timeout, timeout : float, optional
        Seconds that one cell, and the whole run, may take.
    progress : bool, default=False
        Show papermill's bar over the cells, and on a terminal the bar of an extraction.

    Returns
    -------
    Record

    Raises
    ------
    InputError
        Before anything is started, if a parameter is unknown or ill-typed.
    NotebookError
        If the run failed. The notebook as far as it came is then at ``<output>.failed.ipynb``, the record of the
        failure at ``<record>.failed.json``, and the previous good files are untouched.
    """
    template, output = Path(template), Path(output)
    record = Path(record) if record else output.with_suffix(".json")
    schema = read_parameters(template)
    chosen = checked(parameters or {}, schema, template=template.name)
    limits = Limits(threads, cell_timeout, timeout, progress)
    values = {p.name: chosen.get(p.name, p.default) for p in schema.values()}
    attempt = _Attempt.at(output, record, parameters=values)
    beginning = _begin(template, values, attempt, threads=threads, variant=variant, kept=kept, grid=grid)
    notebook = nbformat.read(template, as_version=4)
    if kept is not None:
        notebook = drawing(notebook, grid=kept, place=(*files.labels(values), template.stem))
    table = str(products[0].resolve()) if products else ""
    before = {path: state_of(path) for path in products}
    with _failures_kept(attempt, beginning), put_back([*products, output]):
        named = progress and sys.stderr.isatty() and hasattr(os, "ttyname")  # Windows has no names of terminals
        terminal = os.ttyname(sys.stderr.fileno()) if named else None
        known = {files.TABLE: table, **(variables or {}), **({"DIFFRED_TERMINAL": terminal} if terminal else {})}
        with sigterm_as_exit(), private_kernel(threads=threads, timeout=timeout, variables=known) as kernel:
            cwd = files.working_root()
            error = execute(notebook, attempt.part, parameters=chosen, kernel=kernel, cwd=cwd, limits=limits)
            if error is not None:
                raise NotebookError(f"the whole run took longer than {timeout:g} s" if kernel.expired else error)
            device, peak_memory_mb = kernel.use()
        beginning = replace(beginning, device=device, peak_memory_mb=peak_memory_mb)
        return _publish(attempt, before, beginning)


@dataclass(frozen=True)
class _Attempt:
    """Where one run writes: `part` until it is whole, then `output`, then `record`; `rules` hide its machine."""

    part: Path
    output: Path
    record: Path
    rules: provenance.Rules

    @classmethod
    def at(cls, output: Path, record: Path, *, parameters: Mapping[str, object]) -> _Attempt:
        part = output.with_name(f".{output.stem}.{os.getpid()}.part.ipynb")
        return cls(part, output, record, provenance.path_rules(files.working_root(), parameters))

    def scrubbed(self) -> str:
        """Return the executed notebook as far as it is, as it is published."""
        return f"{nbformat.writes(scrub(nbformat.read(self.part, as_version=4), rules=self.rules))}\n"


def _begin(
    template: Path,
    parameters: dict[str, object],
    attempt: _Attempt,
    *,
    threads: int,
    variant: Mapping[str, object] | None,
    kept: str | None,
    grid: str | None,
) -> Record:
    # Digests are taken before the run: a file edited while it runs must make the result stale.
    commit, dirty = provenance.commit()
    return Record(
        template=template.name,
        parameters={name: provenance.scrub_value(value, attempt.rules) for name, value in parameters.items()},
        template_sha256=files.sha256(template),
        code_sha256=sources.code_digest([template]),
        commit=commit,
        dirty=dirty,
        versions=provenance.versions(),
        started=_now().isoformat(timespec="milliseconds"),
        threads=threads,
        variant=dict(variant or {}),
        kept=kept,
        grid=grid,
    )


def _publish(attempt: _Attempt, before: Mapping[Path, tuple[int, ...] | None], beginning: Record) -> Record:
    """Rename the good notebook into place, write its record last, and drop the trace of an earlier failure.

    Of the products those are this run's whose state is not that of `before`.
    """
    try:
        files.write_text(attempt.output, attempt.scrubbed())
        written = [path for path, state in before.items() if state_of(path) not in (None, state)]
        done = _ended(beginning).with_outputs(attempt.output, *written)
        done.write(attempt.record)
    except OSError as error:
        raise NotebookError(f"the result could not be written: {error.strerror}") from error
    for path in (attempt.output, attempt.record):
        failed_path(path).unlink(missing_ok=True)
    return done


@contextlib.contextmanager
def _failures_kept(attempt: _Attempt, beginning: Record) -> Iterator[None]:
    """Keep the notebook as far as it came when the run fails or is interrupted, and say which cell it was."""
    attempt.output.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except NotebookError as error:
        raise NotebookError(_keep_failure(attempt, beginning, str(error))) from error
    except InputError as error:
        _keep_failure(attempt, beginning, str(error))
        raise
    except (KeyboardInterrupt, SystemExit):
        _keep_failure(attempt, beginning, "it was interrupted")
        raise
    finally:
        attempt.part.unlink(missing_ok=True)


def _keep_failure(attempt: _Attempt, beginning: Record, reason: str) -> str:
    sentence = f"{beginning.template} failed {_where(attempt.part)}: {reason}"
    # A full disk may be the cause: then the sentence is all that is left.
    with contextlib.suppress(OSError, ValueError):
        files.write_text(failed_path(attempt.output), attempt.scrubbed())
    with contextlib.suppress(OSError):
        error = provenance.scrub_text(sentence, attempt.rules)
        replace(_ended(beginning), error=error).write(failed_path(attempt.record))
    return sentence


def _where(part: Path) -> str:
    try:
        return failing_cell(nbformat.read(part, as_version=4))
    except (OSError, ValueError):
        return "before its first cell"


def _ended(beginning: Record) -> Record:
    now = _now()
    seconds = (now - datetime.fromisoformat(beginning.started)).total_seconds()
    return replace(beginning, finished=now.isoformat(timespec="milliseconds"), seconds=round(seconds, 3))


def _now() -> datetime:
    return datetime.now(UTC)
