"""Where the project keeps its files."""

from __future__ import annotations

import os
import re
from pathlib import Path

from diffred_core.errors import InputError

SUMMARY = "summary"  # stands for task and model of an analysis that reads all of them
DEFAULT_GRID = "embedded"  # the book; where grids list one cell with different parameters, it has the plain place
TABLE = "DIFFRED_TABLE"  # the variable by which the runner tells its kernel where the table goes
OWN_TABLES = "DIFFRED_OWN_TABLES"  # and by which tables of a grid's own a summary of it reads
KEPT = "DIFFRED_KEPT"  # and of which grids the kept tables


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder at or above `start` that holds ``_config.yml`` and ``notebooks/``."""
    here = (start or Path.cwd()).resolve()
    if (checkout := _checkout(here)) is None:
        raise InputError(
            f"expected to run inside a checkout of the book (a folder with _config.yml and notebooks/), but {here} "
            "is not in one; change folder"
        )
    return checkout


def working_root() -> Path:
    """Return the checkout that the working folder is in, else the working folder: where notebooks run."""
    here = Path.cwd()
    return _checkout(here) or here


def _checkout(here: Path) -> Path | None:
    folders = (here, *here.parents)
    return next((f for f in folders if (f / "_config.yml").is_file() and (f / "notebooks").is_dir()), None)


def runs_root() -> Path:
    """Return the folder of everything generated: ``$DIFFRED_RUNS``, else ``runs/`` under `working_root`."""
    chosen = os.environ.get("DIFFRED_RUNS")
    return Path(chosen).expanduser().resolve() if chosen else working_root() / "runs"


def data_root() -> Path:
    """Return where downloaded data lie: ``$DIFFRED_DATA``, else ``data`` under `runs_root`."""
    chosen = os.environ.get("DIFFRED_DATA")
    return Path(chosen).expanduser().resolve() if chosen else runs_root() / "data"


def resolved(path: Path | str) -> Path:
    """Return `path` in full, as a notebook takes it: ``~`` expanded, what is relative from `working_root` on."""
    return (working_root() / Path(path).expanduser()).resolve()


def slug(name: str) -> str:
    """Return `name` as one safe file name: every character outside ``[A-Za-z0-9._-]`` becomes a hyphen."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "unnamed"


def loose_table_path(task: str, model: str, name: str) -> Path:
    """Return where a notebook that the runner did not start writes its table: in the folder that it runs in."""
    parts = (name,) if (task, model) == (SUMMARY, SUMMARY) else (task, model, name)
    return Path.cwd() / f"{'--'.join(map(slug, parts))}.csv"


def table_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/tables/<task>/<model>/<analysis>.csv``, each name slugged."""
    return _location("tables", task, model, analysis, ".csv")


def table_files(task: str, model: str, analysis: str) -> list[Path]:
    """Return the files that a run may write: its table, its provenance, episodes drawn for it, a long table."""
    table = table_path(task, model, analysis)
    return [table, *map(table.with_suffix, (".provenance.json", ".episodes.csv", ".parquet"))]


def table_file(place: Path) -> Path:
    """Return the file that holds the table of `place`: that one, or Parquet beside it where the table is long.

    Of two, as an interrupted run leaves them, the one that was written last.
    """
    held = [path for path in (place, place.with_suffix(".parquet")) if path.is_file()]
    return max(held, key=lambda path: path.stat().st_mtime_ns, default=place)


def episodes_path(table: Path) -> Path:
    """Return the place of the episodes that were drawn for the table at `table`: beside it."""
    return table.with_suffix(".episodes.csv")


def kept_root() -> Path:
    """Return the folder ``kept`` of the checkout, or of the working directory where there is no checkout."""
    return working_root() / "kept"


def kept_path(grid: str, task: str, model: str, analysis: str) -> Path:
    """Return ``kept/<grid>/<task>/<model>/<analysis>.parquet``, each name slugged."""
    return kept_root().joinpath(*map(slug, (grid, task, model))) / f"{slug(analysis)}.parquet"


def notebook_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/notebooks/<task>/<model>/<analysis>.ipynb``, each name slugged."""
    return _location("notebooks", task, model, analysis, ".ipynb")


def record_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/records/<task>/<model>/<analysis>.json``, each name slugged."""
    return _location("records", task, model, analysis, ".json")


def stamp_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/stamps/<task>/<model>/<analysis>.json``, each name slugged."""
    return _location("stamps", task, model, analysis, ".json")


def templates_root() -> Path:
    """Return the folder of the notebooks: that of the checkout, outside of one that of the installed package."""
    if checkout := _checkout(Path.cwd()):
        return checkout / "notebooks"
    package = Path(__file__).parents[1]
    installed = package / "notebooks"  # put there when a wheel is built; an editable install has them beside it
    return installed if installed.is_dir() else package.with_name("notebooks")


def template_path(analysis: str) -> Path:
    """Return the notebook ``<analysis>.ipynb`` in `templates_root`."""
    return templates_root() / f"{analysis}.ipynb"


def _location(kind: str, task: str, model: str, analysis: str, suffix: str) -> Path:
    folder = runs_root() / kind / slug(task) / slug(model)
    return folder / f"{slug(analysis)}{suffix}"
