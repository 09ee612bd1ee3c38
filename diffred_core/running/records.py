"""The record of one run of one notebook: written last, so that its presence says that the run is whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from diffred_core import files
from diffred_core.errors import InputError


@dataclass(frozen=True)
class Record:
    """What was run, with what, and how it ended.

    Parameters
    ----------
    template : str
        File name of the notebook template.
    parameters : dict
        Every parameter with its value, the defaults too.
    template_sha256, code_sha256 : str
        Digests of the template and of the files of the package that it imports (`sources.code_digest`).
    commit, dirty : str or None, bool or None
        Commit of the checkout, and whether it had changes.
    versions : dict of str to str
        Python and the packages that numbers depend on.
    started : str
        UTC, ISO 8601.
    threads : int
        Threads that the kernel was given.
    finished, seconds : str, float
        End and wall time, from the digests to the written notebook.
    device : str or None
        Where the kernel computed: ``"cpu"`` or the name of the GPU; None if it did not live to say.
    peak_memory_mb : int or None
        Highest resident memory of the kernel.
    outputs : dict of str to str
        Files of the run, relative to ``runs/``, and their SHA-256 digests.
    error : str or None
        One sentence, when the run failed.
    variant : dict or None
        The parameters in which the run differs from the one that has the plain place; empty for that one.
    kept : str or None
        The grid whose kept table was drawn, where the run computed none.
    grid : str or None
        The grid whose own and kept tables a summary read beside the plain ones, where one was named.
    """

    template: str
    parameters: dict[str, object]
    template_sha256: str
    code_sha256: str
    commit: str | None
    dirty: bool | None
    versions: dict[str, str]
    started: str
    threads: int
    finished: str | None = None
    seconds: float | None = None
    device: str | None = None
    peak_memory_mb: int | None = None
    outputs: dict[str, str] | None = None
    error: str | None = None
    variant: dict[str, object] | None = None
    kept: str | None = None
    grid: str | None = None

    def write(self, path: Path | str) -> Path:
        """Write the record to `path` as JSON, whole or not at all."""
        return files.write_sealed(path, asdict(self))

    def with_outputs(self, *outputs: Path) -> Record:
        """Return this record with the digests of the files `outputs`, named from ``runs/``."""
        return replace(self, outputs={relative_name(path): files.sha256(path) for path in outputs})


def read_record(path: Path | str) -> Record:
    """Return the record at `path`.

    Raises
    ------
    InputError
        If there is none, or it was cut short or edited, or it is not a record.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected the record of a run at {path}, but there is none; run the notebook first")
    try:
        return Record(**(files.read_sealed(path) or {}))
    except TypeError as error:
        raise InputError(
            f"expected the record of a run in {path}, got something else; run the notebook again"
        ) from error


def failed_path(path: Path) -> Path:
    """Return where the failure of a run is kept: ``<name>.failed<suffix>`` beside the good file at `path`."""
    return path.with_name(f"{path.stem}.failed{path.suffix}")


def relative_name(path: Path) -> str:
    """Return `path` from ``runs/`` on, or its bare name when it lies elsewhere."""
    path, root = path.resolve(), files.runs_root().resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
