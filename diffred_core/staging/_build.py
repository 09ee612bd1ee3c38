"""The staged book, rendered: Jupyter Book with every warning an error."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from diffred_core.errors import InputError


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
        If the build warns or fails; Jupyter Book has printed why.
    """
    options = ["--config", str(config), "--path-output", str(output), "-W", "-n", "--keep-going"]
    # By this interpreter, whatever `jupyter-book` would be found, and with `staging.mathml` of this package,
    # whatever package the working folder holds.
    package = str(Path(__file__).parents[2])
    code = f"import sys; sys.path[0] = {package!r}; from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", code, "build", str(source), *options]
    finished = subprocess.run(command, check=False)
    if finished.returncode:
        shutil.rmtree(output / "_build" / ".doctrees", ignore_errors=True)
        raise InputError("expected the book to build without a warning, but it did not; correct what is printed above")
    return output / "_build" / "html" / "index.html"
