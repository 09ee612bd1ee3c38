"""``diffred report``: what a file of embeddings loses when dimensions or bits are dropped, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from diffred_core.cli._app import CORES, AsJson, RunFailure, Threads, app, show_json
from diffred_core.errors import InputError

ANALYSIS = "embedding_report"
PAGE, TABLE, NOTEBOOK, TRANSFORM = "report.html", "table.csv", "report.ipynb", "transform.safetensors"
OF_REPORT = {PAGE, TABLE, NOTEBOOK, TRANSFORM, "table.provenance.json"}

Key = Annotated[str | None, typer.Option(metavar="KEY", help="Key or column of the vectors, or how columns begin.")]
KeyOrFile = Annotated[
    str | None, typer.Option(metavar="KEY|FILE", help='Key, column or file (.npy, .csv, .txt) of labels; "none".')
]
IdsOption = Annotated[str | None, typer.Option(metavar="KEY|FILE", help="Key, column or file of ids.")]


@app.command()
def report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".npy, .npz, .safetensors or .parquet of vectors.")],
    vectors: Key = None,
    labels: KeyOrFile = None,
    ids: IdsOption = None,
    queries: Annotated[Path | None, typer.Option(metavar="FILE", help="Vectors of queries.")] = None,
    qrels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Relevance judgements (TREC or two columns).")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="Share of the quality that may be lost.")] = 0.05,
    similarity: Annotated[str, typer.Option(help="By which neighbours are near: cosine or dot.")] = "cosine",
    neighbours: Annotated[int, typer.Option(min=1, help="How many neighbours.")] = 10,
    seconds: Annotated[float | None, typer.Option(min=0, help="After which no further measure begins.")] = None,
    seed: Annotated[int, typer.Option(help="Of the parts of the rows and the random maps.")] = 0,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="By default NAME-report, here.")] = None,
    as_json: AsJson = False,
    threads: Threads = CORES,
) -> None:
    """Say how many dimensions and bits of a file of embeddings can be dropped, and write the report.

    The folder has report.html (one page, no network), the executed notebook, the table, and the transform that was
    chosen. Nothing is left behind if it fails. No checkout is needed.
    """
    for path in (file, queries, qrels):
        if path is not None and not path.expanduser().is_file():
            raise InputError(f"expected a file at {str(path)!r}, but there is none; check the path")
    file = file.expanduser().resolve()
    folder = (out if out is not None else Path.cwd() / f"{file.stem}-report").expanduser().resolve()
    _refuse_other_content(folder)
    parameters = {"model": file.stem, "task": f"embeddings:{file}", "tolerance": tolerance, "similarity": similarity}
    parameters |= {"neighbours": neighbours, "seconds": seconds, "seed": seed, "vectors": vectors}
    parameters |= {"labels": _absolute(labels), "ids": _absolute(ids)}
    parameters |= {"queries": _absolute(queries), "qrels": _absolute(qrels)}
    with _whole_folder(folder) as part:
        _execute(part, parameters, threads=threads)
        _write_page(part, file.name)
    _say(folder, as_json=as_json)


def _absolute(value: str | Path | None) -> str | None:
    """Return the absolute path of what is a file, else the text as it is."""
    if value is None:
        return None
    path = Path(value).expanduser()
    return str(path.resolve()) if path.is_file() else str(value)


def _refuse_other_content(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and {path.name for path in folder.iterdir()} - OF_REPORT):
        raise InputError(
            f"expected no folder {str(folder)!r} or that of an earlier report, got other files; pass another --out"
        )


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside `folder` that takes its place at the end, or is gone."""
    part, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{word}") for word in ("part", "old"))
    part.mkdir(parents=True)
    try:
        yield part
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _execute(part: Path, parameters: dict[str, object], *, threads: int) -> None:
    from diffred_core import files, results
    from diffred_core.running import NotebookError, run_notebook

    table = part / TABLE
    record = part / ".record.json"
    try:
        run_notebook(
            files.template_path(ANALYSIS),
            parameters=parameters,
            output=part / NOTEBOOK,
            record=record,
            products=[table, results.provenance_path(table)],
            threads=threads,
            progress=sys.stderr.isatty(),
        )
    except NotebookError as error:
        raise RunFailure(f"{error}; nothing was written") from error
    record.unlink()


def _write_page(part: Path, name: str) -> None:
    from diffred_core import files
    from diffred_core.running import page_of

    files.write_text(part / PAGE, page_of(part / NOTEBOOK, title=f"How many dimensions of {name} can I drop?"))


def _say(folder: Path, *, as_json: bool) -> None:
    from diffred_core import results
    from diffred_core.chapters import embeddings

    table = results.read(folder / TABLE)
    decision = embeddings.decide(table)
    if not as_json:
        typer.echo(decision.sentence)
        for note in _notes(table):
            typer.echo(note)
        typer.echo(str(folder / PAGE))
        return
    written = {name: str(folder / name) for name in sorted(OF_REPORT)}
    show_json({**asdict(decision), "sentence": decision.sentence, "notes": _notes(table), "files": written})


def _notes(table: Any) -> list[str]:
    from diffred_core import results
    from diffred_core.chapters import embeddings

    return [str(note) for note in results.where(table, metric=embeddings.names.NOTE)["label"]]
