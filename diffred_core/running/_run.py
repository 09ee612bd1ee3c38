"""Run one notebook safely: the previous good output stays until a new one is whole."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import nbformat

from diffred_core import files, provenance
from diffred_core.errors import InputError
from diffred_core.running import sources
from diffred_core.running._execute import Limits, execute, failing_cell
from diffred_core.running._interrupts import sigterm_as_exit
from diffred_core.running._kernel import private_kernel
from diffred_core.running._products import put_back, state_of
from diffred_core.running._scrub import path_rules, scrub, scrub_text, scrub_value
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
        Files that the notebook may write; those it wrote are listed in the record with their digests.
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
    beginning = _begin(template, {p.name: chosen.get(p.name, p.default) for p in schema.values()}, threads)
    before = {path: state_of(path) for path in products}
    with (
        _part_file(output) as part,
        _failures_kept(part, output, record, beginning),
        put_back([*products, output]),
    ):
        named = progress and sys.stderr.isatty() and hasattr(os, "ttyname")  # Windows has no names of terminals
        terminal = os.ttyname(sys.stderr.fileno()) if named else None
        with sigterm_as_exit(), private_kernel(threads=threads, timeout=timeout, terminal=terminal) as kernel:
            notebook = nbformat.read(template, as_version=4)
            error = execute(notebook, part, parameters=chosen, kernel=kernel, cwd=files.working_root(), limits=limits)
            if error is not None:
                raise NotebookError(f"the whole run took longer than {timeout:g} s" if kernel.expired else error)
            device, peak_memory_mb = kernel.use()
        beginning = replace(beginning, device=device, peak_memory_mb=peak_memory_mb)
        return _publish(part, output, record, before, beginning)


def _begin(template: Path, parameters: dict[str, object], threads: int) -> Record:
    # Digests are taken before the run: a file edited while it runs must make the result stale.
    commit, dirty = provenance.commit()
    rules = path_rules(files.working_root())
    return Record(
        template=template.name,
        parameters={name: scrub_value(value, rules) for name, value in parameters.items()},
        template_sha256=files.sha256(template),
        code_sha256=sources.code_digest([template]),
        commit=commit,
        dirty=dirty,
        versions=provenance.versions(),
        started=_now().isoformat(timespec="milliseconds"),
        threads=threads,
    )


def _publish(
    part: Path, output: Path, record: Path, before: Mapping[Path, tuple[int, ...] | None], beginning: Record
) -> Record:
    """Rename the good notebook into place, write its record last, and drop the trace of an earlier failure.

    Of the products those are this run's whose state is not that of `before`.
    """
    try:
        files.write_text(output, _scrubbed(part))
        written = [path for path, state in before.items() if state_of(path) not in (None, state)]
        done = _ended(beginning).with_outputs(output, *written)
        done.write(record)
    except OSError as error:
        raise NotebookError(f"the result could not be written: {error.strerror}") from error
    for path in (output, record):
        failed_path(path).unlink(missing_ok=True)
    return done


@contextlib.contextmanager
def _part_file(output: Path) -> Iterator[Path]:
    """Give the hidden file beside `output` that papermill writes into, and remove it at the end."""
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f".{output.stem}.{os.getpid()}.part.ipynb")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _failures_kept(part: Path, output: Path, record: Path, beginning: Record) -> Iterator[None]:
    """Keep the notebook as far as it came when the run fails or is interrupted, and say which cell it was."""
    try:
        yield
    except NotebookError as error:
        raise NotebookError(_keep_failure(part, output, record, beginning, str(error))) from error
    except InputError as error:
        _keep_failure(part, output, record, beginning, str(error))
        raise
    except (KeyboardInterrupt, SystemExit):
        _keep_failure(part, output, record, beginning, "it was interrupted")
        raise


def _keep_failure(part: Path, output: Path, record: Path, beginning: Record, reason: str) -> str:
    sentence = f"{beginning.template} failed {_where(part)}: {reason}"
    # A full disk may be the cause: then the sentence is all that is left.
    with contextlib.suppress(OSError, ValueError):
        files.write_text(failed_path(output), _scrubbed(part))
    with contextlib.suppress(OSError):
        scrubbed = scrub_text(sentence, path_rules(files.working_root()))
        replace(_ended(beginning), error=scrubbed).write(failed_path(record))
    return sentence


def _scrubbed(part: Path) -> str:
    notebook = scrub(nbformat.read(part, as_version=4), root=files.working_root())
    return f"{nbformat.writes(notebook)}\n"


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
