"""Which pages of the book, staged or rendered, are not what was written any more."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from diffred_core import files
from diffred_core.staging._runs import GridCell
from diffred_core.staging._tree import lost_from_tree


def lost_pages(root: Path | None = None) -> list[str]:
    """Return the files of the staged and the rendered book that are gone or edited, by paths from `root` on.

    A book that was never made has none; one that was made and is gone has lost all, named by the list of its files.

    Parameters
    ----------
    root : Path, optional
        The checkout; by default the one around the working directory.
    """
    root = root or files.project_root()
    folders = {"stage": files.runs_root() / "book", "build": root / "_build" / "html"}
    made = [path for job, path in folders.items() if path.is_dir() or files.stamp_path("book", "book", job).is_file()]
    return [os.path.relpath(folder / name, root) for folder in made for name in lost_from_tree(folder)]


def is_page_of(path: str, cell: GridCell) -> bool:
    """Return whether the file at `path` of a book is the page of `cell` or one of its downloads."""
    pages = (f"{cell.page}.ipynb", f"{cell.page}.html")
    downloads = (PurePosixPath(cell.download(suffix)).name for suffix in (".csv", ".parquet", ".ipynb"))
    return f"/{path}".endswith(tuple(f"/{name}" for name in (*pages, *downloads)))
