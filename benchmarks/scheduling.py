"""What the grid costs beside its cells: seconds a cell that does next to nothing, and of a grid with nothing to do.

Peer of the first is papermill, a process a notebook, as many at once; of the second Snakemake on the same Snakefile.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from _bench import Side, arguments, measure, report, rows_of

from diffred_core import files, running
from diffred_core.running.records import Record, read_record

N_CELLS, N_DONE = 16, 1000
PARAMETERS = 'model: str = "m"  # which network\ntask: str = "t"  # which data'
PROJECT = Path(__file__).parents[1]


def make_checkout(root: Path) -> None:
    """Write a checkout with the project's own workflow and one notebook that prints two words, and work in it."""
    (root / "notebooks").mkdir()
    (root / "book").mkdir()
    for name in ("_config.yml", "CHANGELOG.md"):
        (root / name).touch()
    shutil.copytree(PROJECT / "workflow", root / "workflow")
    head = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    cells = [nbformat.v4.new_markdown_cell("# Words"), head, nbformat.v4.new_code_cell("print(model, task)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), root / "notebooks" / "words.ipynb")
    for name, models in (("few", N_CELLS), ("many", N_DONE)):
        grid = {"models": [f"m{i}" for i in range(models)], "tasks": [name], "analyses": {"words": {}}}
        (root / "workflow" / "grids" / f"{name}.yml").write_text(json.dumps(grid))  # JSON is YAML
    os.chdir(root)
    os.environ |= {"PYTHONPATH": str(PROJECT), "DIFFRED_RUNS": str(root / "runs")}


def run_papermill(model: str) -> None:
    """Run the notebook by papermill's command line."""
    output = Path("papermill", f"{model}.ipynb")
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--no-progress-bar",
        "-k",
        "python3",
        "-l",
        "python",
        "notebooks/words.ipynb",
        str(output),
    ]
    subprocess.run([*command, "-p", "model", model], check=True, capture_output=True)


def side_by_side(cores: int) -> None:
    """Run all cells by papermill, `cores` at once."""
    Path("papermill").mkdir(exist_ok=True)
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(run_papermill, [f"m{i}" for i in range(N_CELLS)]))


def pretend_done() -> None:
    """Leave what the runs of the large grid leave: notebooks, records and stamps."""
    for entry in running.read_grid("many").entries():
        notebook, record = files.notebook_path(*entry.place), files.record_path(*entry.place)
        notebook.parent.mkdir(parents=True, exist_ok=True)
        notebook.write_text("{}")
        facts = Record("words.ipynb", dict(entry.parameters), "", "", None, None, {}, "", 1, variant={})
        facts.with_outputs(notebook).write(record)
        running.write_stamp(files.stamp_path(*entry.place), [notebook], record=record)


def own_seconds() -> float:
    """Return the seconds that the cells themselves took, by their records: kernel, notebook, and what is written."""
    entries = running.read_grid("few").entries()
    return sum(read_record(files.record_path(*entry.place)).seconds or 0.0 for entry in entries)


def ask_snakemake() -> None:
    """Have Snakemake say by itself that there is nothing to do."""
    workflow = Path("workflow").resolve()
    places = [
        "--snakefile",
        workflow / "Snakefile",
        "--profile",
        workflow / "profiles" / "local",
        "--directory",
        "runs",
    ]
    command = [sys.executable, "-m", "snakemake", *map(str, places), "--config", "grid=many", "--until", "cell"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "Nothing to be done" in done.stdout + done.stderr


if __name__ == "__main__":
    options = arguments(__doc__, "scheduling")
    cores = options.threads
    with tempfile.TemporaryDirectory() as folder:
        make_checkout(Path(folder))
        grid = Side(
            "diffred grid",
            lambda: running.run_grid("few", cores=cores, until="cell"),
            role="ours",
            units=N_CELLS,
            prepare=lambda: shutil.rmtree("runs", ignore_errors=True),
        )
        alone = Side("papermill, a process a notebook", lambda: side_by_side(cores), units=N_CELLS)
        sides = measure([grid, alone], repeats=min(options.repeats, 2))
        beside = grid.seconds[-1] / N_CELLS - own_seconds() / cores / N_CELLS
        facts = {"cells": N_CELLS, "at once": cores, "seconds a cell beside the cell itself": f"{beside:.2f}"}
        rows = rows_of("a cell that does nothing", sides, unit="cell", **facts)
        pretend_done()
        nothing = Side("diffred grid", lambda: running.run_grid("many", until="cell"), role="ours")
        sides = measure([nothing, Side("Snakemake on the same Snakefile", ask_snakemake)], repeats=options.repeats)
        rows += rows_of("a grid with nothing to do", sides, unit="grid", cells=N_DONE)
        report(rows, options.csv)
        os.chdir(PROJECT)
