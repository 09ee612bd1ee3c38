"""A small rendered book whose explorer holds real tables, for the tests in a browser."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from staged_project import CHECKOUT, TOC, make_project, make_run

from diffred_core import files, results
from diffred_core.running import Entry
from diffred_core.staging import build_book, stage_book

MODELS, TASKS = ("mobilenetv1_025", "squeezenet1_1"), ("digits", "mnist5k")
CELLS = [("subset_probes", task, model) for task in TASKS for model in MODELS]
CELLS += [
    ("subset_similarity", "digits", MODELS[0]),
    ("few_shot", "cifar10", MODELS[0]),
    ("layers", "cifar10", MODELS[0]),
]


@functools.cache
def kept(analysis: str, task: str, model: str) -> pd.DataFrame:
    """Return the kept table of a cell; once read, wherever the working directory is."""
    return results.read_kept("full", task, model, analysis)[0]


def make_explored_project(root: Path, patch: pytest.MonkeyPatch) -> list[Entry]:
    """Write a checkout under `root` with a run of every one of `CELLS`, go there, and return them."""
    tables = {cell: kept(*cell) for cell in CELLS}  # before the working directory leaves the checkout
    make_project(root)
    shutil.copytree(CHECKOUT / "book" / "explorer", root / "book" / "explorer")
    analyses = list(dict.fromkeys(analysis for analysis, *_ in CELLS))
    toc = yaml.safe_load(TOC.replace("[tiny]", str(analyses)))
    toc["parts"][0]["chapters"].append({"file": "explorer"})
    (root / "book" / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False))
    for analysis in analyses:
        shutil.copy(root / "notebooks" / "tiny.ipynb", root / "notebooks" / f"{analysis}.ipynb")
    patch.chdir(root)
    patch.delenv("DIFFRED_RUNS", raising=False)
    patch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    return [_run(Entry(*cell), tables[cell]) for cell in CELLS]


def _run(cell: Entry, table: pd.DataFrame) -> Entry:
    path = files.table_path(*cell.place)
    files.write_text(path, table.to_csv(index=False))
    files.write_json(results.provenance_path(path), {"feature_keys": {}, "table_sha256": files.sha256(path)})
    make_run(cell, table=False, parameters={"model": cell.model, "task": cell.task})
    return cell


def render(root: Path, entries: list[Entry]) -> Path:
    """Return the folder of the rendered book."""
    return build_book(stage_book(entries), config=root / "_config.yml", output=root).parent
