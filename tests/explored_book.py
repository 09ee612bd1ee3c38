"""A small rendered book whose explorer holds real tables, for the tests in a browser."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from staged_project import CHECKOUT, TOC, edit_notebook, make_project, make_run
from synthetic_task import make_task

from diffred_core import files, results
from diffred_core.chapters import random_subsets
from diffred_core.running import Entry
from diffred_core.staging import build_book, stage_book

MODELS, TASKS = ("mobilenetv1_025", "squeezenet1_1"), ("digits", "mnist5k")
CELLS = [("subset_probes", task, model) for task in TASKS for model in MODELS]
CELLS += [
    ("subset_similarity", "digits", MODELS[0]),
    ("few_shot", "cifar10", MODELS[0]),
    ("layers", "cifar10", MODELS[0]),
]

ADDED = ("your_measure", TASKS[0], MODELS[0])  # a measure that no code of the explorer knows


def mean_size(X: torch.Tensor) -> float:
    """Return the mean absolute value of features (n_samples, n_features)."""
    return float(X.abs().mean())


@functools.cache
def kept(analysis: str, task: str, model: str) -> pd.DataFrame:
    """Return the kept table of a cell, or that of `ADDED`; once read, wherever the working directory is."""
    if analysis == ADDED[0]:
        return random_subsets.measure(make_task(), mean_size, n_seeds=2).assign(task=task, model=model)
    return results.read_kept("full", task, model, analysis)[0]


def make_explored_project(root: Path, patch: pytest.MonkeyPatch) -> list[Entry]:
    """Write a checkout under `root` with a run of every one of `CELLS` and `ADDED`, go there, and return them."""
    tables = {cell: kept(*cell) for cell in (*CELLS, ADDED)}  # before the working directory leaves the checkout
    make_project(root)
    shutil.copytree(CHECKOUT / "book" / "explorer", root / "book" / "explorer")
    analyses = list(dict.fromkeys(analysis for analysis, *_ in tables))
    toc = yaml.safe_load(TOC.replace("[tiny]", str(analyses)))
    toc["parts"][0]["chapters"].append({"file": "explorer"})
    (root / "book" / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False))
    for analysis in analyses:
        shutil.copy(root / "notebooks" / "tiny.ipynb", root / "notebooks" / f"{analysis}.ipynb")
    patch.chdir(root)
    patch.delenv("DIFFRED_RUNS", raising=False)
    patch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    entries = [_run(Entry(*cell), table) for cell, table in tables.items()]
    edit_notebook(entries[-1], lambda notebook: notebook["cells"][2]["metadata"].update(tags=["measure"]))
    return entries


def _run(cell: Entry, table: pd.DataFrame) -> Entry:
    path = files.table_path(*cell.place)
    files.write_text(path, table.to_csv(index=False))
    files.write_json(results.provenance_path(path), {"feature_keys": {}, "table_sha256": files.sha256(path)})
    make_run(cell, table=False, parameters={"model": cell.model, "task": cell.task})
    return cell


def render(root: Path, entries: list[Entry]) -> Path:
    """Return the folder of the rendered book."""
    return build_book(stage_book(entries), config=root / "_config.yml", output=root).parent
