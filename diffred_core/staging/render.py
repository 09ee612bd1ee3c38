"""Jupyter Book's own build of a staged book, with several processes: ``python -m diffred_core.staging.render``."""

from __future__ import annotations

import json
import sys
from html import escape, unescape
from pathlib import Path
from typing import Any

from jupyter_book.sphinx import build_sphinx
from sphinx.application import Sphinx

from diffred_core import files


def render(source: Path, *, config: Path, target: Path, jobs: int) -> int:
    """Render the staged book at `source` into the folder `target` by `jobs` processes, and return Sphinx's status.

    As ``jupyter-book build -W -n --keep-going``, which knows no number of processes.
    """
    options = {"external_toc_path": str(source / "_toc.yml"), "latex_individualpages": False, "nitpicky": True}
    options["html_search_scorer"] = str(source / "search.js")  # not in _static: every page would load it from there
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
    app.connect("html-page-context", _escape_title, priority=900)  # after the theme has put it there
    app.connect("build-finished", _escape_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _escape_title(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Escape the heading that the theme writes once more for paper, as HTML."""
    context["pagetitle"] = escape(context.get("pagetitle") or "")


def _escape_index(app: Sphinx, error: Exception | None) -> None:
    """Escape the headings in the index of the search, whose script puts them into its page as HTML."""
    path = Path(app.outdir) / "searchindex.js"
    if error is not None or not path.is_file():
        return
    before, after = "Search.setIndex(", ")"
    index = json.loads(path.read_text(encoding="utf-8").removeprefix(before).removesuffix(after))
    index["alltitles"] = {escape(unescape(title)): places for title, places in index["alltitles"].items()}
    files.write_text(path, f"{before}{json.dumps(index, separators=(',', ':'))}{after}")


if __name__ == "__main__":
    book, settings, folder, processes = sys.argv[1:]
    sys.exit(render(Path(book), config=Path(settings), target=Path(folder), jobs=int(processes)))
