"""The staged book, rendered: Jupyter Book with every warning an error."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from diffred_core.errors import InputError, needs
from diffred_core.staging._tree import list_tree, lost_from_tree


class BuildError(RuntimeError):
    """The book has a warning or an error; the message is one sentence."""


def build_book(source: Path, *, config: Path, output: Path) -> Path:
    """Build the staged book at `source` and return the front page.

    The new book is rendered beside the last one, in a copy of it, and takes its place when it is whole: a build that
    fails or is killed leaves the last book as it was. Sphinx warns about a page when it reads it, and keeps what it has
    read: built again, the same broken page would pass in silence. So after a build that did not end well all is read
    anew; and where files of the last book are gone or changed all is written anew.

    Parameters
    ----------
    source : Path
        From `stage_book`.
    config : Path
        ``_config.yml``.
    output : Path
        Folder in which ``_build/`` is made.

    Raises
    ------
    InputError
        If there is no staged book.
    BuildError
        If the build warns or fails; Jupyter Book has printed why.
    """
    if not (source / "_toc.yml").is_file():
        raise InputError(f"expected a staged book at {source}, but there is none; make it by `diffred stage`")
    with needs("book"):
        import jupyter_book  # noqa: F401
    html = output / "_build" / "html"
    with _beside(html) as part:
        _render(source.resolve(), config.resolve(), part.resolve())
    return html / "index.html"


@contextlib.contextmanager
def _beside(html: Path) -> Iterator[Path]:
    """Give a copy of the folder `html`, empty where that is not whole, which takes its place after the block."""
    part, old = html.with_name("html.part"), html.with_name("html.old")
    if part.exists():  # of a build that was killed
        _forget(part)
    if old.exists() and not html.exists():  # killed between the two renames
        old.rename(html)
    shutil.rmtree(old, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        if html.is_dir() and not lost_from_tree(html):
            shutil.copytree(html, part, dirs_exist_ok=True)
        yield part
        list_tree(part)
    except BaseException:
        _forget(part)
        raise
    if html.exists():
        html.rename(old)
    part.rename(html)
    shutil.rmtree(old, ignore_errors=True)


def _forget(part: Path) -> None:
    shutil.rmtree(part.with_name(".doctrees"), ignore_errors=True)
    shutil.rmtree(part, ignore_errors=True)


def _render(source: Path, config: Path, target: Path) -> None:
    # With the extensions of this package, whatever package the working folder holds.
    package = Path(__file__).parents[2]
    # Twice the cores: a process waits while the first one resolves its pages, and with two of them all wait in turn.
    jobs = min(8, 2 * (os.cpu_count() or 1))
    command = [sys.executable, "-m", "diffred_core.running.warm", "diffred_core.staging.render"]
    finished = subprocess.run([*command, *map(str, (source, config, target)), str(jobs)], check=False, cwd=package)
    if finished.returncode:
        raise BuildError("the book did not build without a warning; correct what is printed above")
