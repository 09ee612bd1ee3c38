"""The template of every layer runs as papermill runs it, on images of a folder and a network of seconds."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import papermill
import pytest
from tiny_world import MODEL, write_checkpoint, write_images

from diffred_core import files, results
from diffred_core.running import notebook_parameters

TEMPLATE = Path(__file__).parent.parent / "notebooks" / "layers.ipynb"


def cells(path, kind):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    output = folder / "layers.ipynb"
    home, away = (folder / name for name in ("home", "away"))
    parameters = {
        "model": MODEL,
        "checkpoint": str(write_checkpoint(folder / "w.safetensors")),
        "task": f"folder:{write_images(home, n=30)}",
        "ood_tasks": [f"folder:{write_images(away, classes=('ant', 'bee', 'cow'), n=20)}"],
        "shifted_tasks": ["+contrast:5"],
        "layers": ["blocks.?", "penultimate"],
        "n_subsets": 2,
        "n_published_seeds": 2,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFRED_RUNS", str(folder / "runs"))
        patch.setenv("OMP_NUM_THREADS", "1")
        table = files.table_path(*files.labels(parameters), "layers")
        patch.setenv(files.TABLE, str(table))
        papermill.execute_notebook(TEMPLATE, output, parameters=parameters, progress_bar=False, kernel_name="python3")
    return output, table, parameters


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_every_cell_ran_without_error_or_complaint(executed):
    for cell in cells(executed[0], "code"):
        assert cell["execution_count"] is not None
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", output["text"]


def test_figures_have_words_and_tables_captions(executed):
    outputs = [output for cell in cells(executed[0], "code") for output in cell["outputs"]]
    shown = ["".join(output["data"]["text/html"]) for output in outputs if "text/html" in output.get("data", {})]
    pictures, tables = ([html for html in shown if mark in html] for mark in ("<img", "<table"))
    alternatives = [alt for html in pictures for alt in re.findall(r'alt="([^"]*)"', html)]
    assert (len(pictures), len(alternatives), len(tables)) == (6, 9, 3)  # three figures and a table are folded
    for alt in alternatives:
        assert len(alt) > 40
        assert re.search(r"\d", alt)
    assert all(re.search("<caption>.+</caption>", html) for html in tables)


def test_the_table_names_what_it_was_made_from(executed):
    _, path, _ = executed
    table, said = results.read(path), results.read_provenance(path)
    designs = {"in_distribution", "transfer", "shift", "full", "random", "random_hidden"}
    assert set(table["method"]) == designs | {"majority", "chance"}
    assert "folder:home+contrast:5" in set(table["task"])
    assert said["parameters"]["layers"] == ["blocks.?", "penultimate"]
    assert len(said["feature_keys"]) == 3 + 3 + 2  # a shifted task has no training rows
    assert len(set(said["feature_keys"].values())) == 8
    assert {(trace["recipe"], trace["epochs"]) for trace in said["recipes"]} == {("pretrained", 30)}
    assert all(trace["steps"] == 30 * trace["steps_per_epoch"] > 0 for trace in said["recipes"])


def test_the_template_is_stripped_short_and_says_how_to_read_it():
    code = cells(TEMPLATE, "code")
    assert len(code) <= 14
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        kinds = {type(node) for node in ast.walk(ast.parse("".join(cell["source"])))}
        assert not kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}
    found = notebook_parameters.read_parameters(TEMPLATE)
    assert all(parameter.help for parameter in found.values())
    prose = "\n".join("".join(cell["source"]) for cell in cells(TEMPLATE, "markdown"))
    assert "**Question.**" in prose
    assert "**How to read it.**" in prose


def test_the_default_shifts_fit_any_reference():
    # a task by name has the classes of few others, and would be refused with any of them as reference
    assert all(name.startswith("+") for name in notebook_parameters.read_parameters(TEMPLATE)["shifted_tasks"].default)
