"""The staged book, rendered: Jupyter Book with every warning an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from diffred_core.errors import InputError, needs


class BuildError(RuntimeError):
    """The book has a warning or an error; the message is one sentence."""


def build_book(source: Path, *, config: Path, output: Path) -> Path:
    """Build the staged book at `source` and return the front page.

    Sphinx warns about a page when it reads it, and a failed build keeps what it has read: built again, the same
    broken page would pass in silence. So a failed build forgets what was read.

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
    # With the extensions of this package, whatever package the working folder holds.
    package = Path(__file__).parents[2]
    # Twice the cores: a process waits while the first one resolves its pages, and with two of them all wait in turn.
    jobs = min(8, 2 * (os.cpu_count() or 1))
    command = [sys.executable, "-m", "diffred_core.running.warm", "diffred_core.staging.render"]
    places = (source.resolve(), config.resolve(), html.resolve())
    finished = subprocess.run([*command, *map(str, places), str(jobs)], check=False, cwd=package)
    if finished.returncode:
        shutil.rmtree(output / "_build" / ".doctrees", ignore_errors=True)
        raise BuildError("the book did not build without a warning; correct what is printed above")
    return html / "index.html"
