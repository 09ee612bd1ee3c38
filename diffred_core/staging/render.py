"""Jupyter Book's own build of a staged book, with several processes: ``python -m diffred_core.staging.render``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jupyter_book.sphinx import build_sphinx
from sphinx.application import Sphinx


def render(source: Path, *, config: Path, target: Path, jobs: int) -> int:
    """Render the staged book at `source` into the folder `target` by `jobs` processes, and return Sphinx's status.

    As ``jupyter-book build -W -n --keep-going``, which knows no number of processes.
    """
    options = {"external_toc_path": str(source / "_toc.yml"), "latex_individualpages": False, "nitpicky": True}
    status = build_sphinx(
        source,
        target,
        noconfig=True,
        path_config=config,
        confoverrides=options,
        warningiserror=True,
        keep_going=True,
        jobs=jobs,
    )
    return status if isinstance(status, int) else 1


def setup(app: Sphinx) -> dict[str, Any]:
    """As an extension, call safe for several processes what does not say that it is.

    It numbers sections once all pages are read, in the one process that has them all, and the book numbers none.
    """
    app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    book, settings, folder, processes = sys.argv[1:]
    sys.exit(render(Path(book), config=Path(settings), target=Path(folder), jobs=int(processes)))
