"""The templates run as papermill and JupyterLab run them, on features from a file, and keep the rules of a template."""

from __future__ import annotations

import ast
import html
import json
import platform
import re
from pathlib import Path

import nbclient
import nbformat
import numpy as np
import papermill
import pytest
import yaml
from synthetic_task import make_task

from diffred_core import files, results
from diffred_core.chapters import few_shots, random_subsets
from diffred_core.running import notebook_parameters, sources

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
ALL = "few_shot_theory"  # the quickest: what "Run all" does, the others run as papermill does
EXECUTED = ("subset_probes", "subset_similarity", "summary", "few_shot", ALL, "few_shot_summary", "spectra", "compare")
TEMPLATES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
MOST_CELLS = 14
MEASURE, MOST_LINES = "measure", 10  # the tag of the one cell that may hold a function, and its length
QUICK = {"n_seeds": 2, "fractions": [0.1, 0.2, 0.5], "model": "synthetic"}


def cells(path, kind):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def code_cell(source, *tags):
    return {"source": source, "metadata": {"tags": list(tags)}}


def text_of(cell):
    return "".join(cell["source"])


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_short_and_holds_no_function(name):
    assert broken_rules(cells(NOTEBOOKS / f"{name}.ipynb", "code")) == []


def broken_rules(code):
    """Return which rules of a template its code cells break."""
    defined = {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}
    chosen = {ast.If, ast.IfExp, ast.Match}
    parsed = [node for cell in code for node in ast.walk(ast.parse(text_of(cell)))]
    measures = [cell for cell in code if MEASURE in cell["metadata"].get("tags", ())]
    others = [node for cell in code if cell not in measures for node in ast.walk(ast.parse(text_of(cell)))]
    nodes, shown = [type(node) for node in parsed], [cell for cell in code if text_of(cell).startswith("show(")]
    answers = [cell for cell in code if "answer" in cell["metadata"].get("tags", ())]
    parameters = {node.target.id for node in parsed if isinstance(node, ast.AnnAssign)}
    keywords = [node for node in parsed if isinstance(node, ast.keyword) and isinstance(node.value, ast.Name)]
    rules = {
        "the answer not shown first": len(answers) != 1
        or answers != shown[:1]
        or not re.match(r"show\(\w+\.answers\.", text_of(answers[0])),
        "a choice": bool(chosen & set(nodes)) or any(getattr(node, "ifs", None) for node in parsed),
        "HTML by hand": any(isinstance(node, ast.Attribute) and node.attr == "data" for node in parsed)
        or any("HTML(" in text_of(cell) for cell in code),
        "a parameter that is retyped": any(node.arg == node.value.id in parameters for node in keywords),
        f"more than {MOST_CELLS} code cells": len(code) > MOST_CELLS,
        "a function or class": bool(defined & {type(node) for node in others}),
        "a measure that is long": len(measures) > 1
        or any(len(text_of(cell).splitlines()) > MOST_LINES for cell in measures),
        "no parameters first": code[0]["metadata"].get("tags") != ["parameters"],
        "no table written last": "run.write(" not in text_of(code[-1]) or code[-1]["metadata"].get("tags") != ["write"],
    }
    return [rule for rule, broken in rules.items() if broken]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda code: code * MOST_CELLS, f"more than {MOST_CELLS} code cells"),
        (lambda code: [code[0], code_cell("def f(): ..."), *code[1:]], "a function or class"),
        (
            lambda code: [code[0], code_cell("\n" * MOST_LINES + "def f(): ...", MEASURE), *code[1:]],
            "a measure that is long",
        ),
        (lambda code: [code[0], *[code_cell("def f(): ...", MEASURE)] * 2, *code[1:]], "a measure that is long"),
        (lambda code: [code[1], *code], "no parameters first"),
        (lambda code: code[:1], "no table written last"),
        (lambda code: [*code[:-1], code_cell("run.write(table)")], "no table written last"),
        (lambda code: [code[0], code_cell("show(figure)"), *code[1:]], "the answer not shown first"),
        (lambda code: [code[0], *code[2:]], "the answer not shown first"),
        (
            lambda code: [code[0], code_cell("show(c.claims.first(t))", "answer"), *code[2:]],
            "the answer not shown first",
        ),
        (lambda code: [*code, code_cell("show(a) if a else 'nothing'")], "a choice"),
        (lambda code: [*code, code_cell("if a:\n    show(a)")], "a choice"),
        (lambda code: [*code, code_cell("x = [a for a in b if a]")], "a choice"),
        (lambda code: [*code, code_cell("show(figure).data")], "HTML by hand"),
        (lambda code: [*code, code_cell("HTML('<p>')")], "HTML by hand"),
        (lambda code: [*code, code_cell("sweep(n=n)")], "a parameter that is retyped"),
    ],
)
def test_a_broken_rule_is_seen(change, rule):
    code = [code_cell("n: int = 1  # n", "parameters"), code_cell("show(c.answers.n(table))", "answer")]
    code.append(code_cell("run.write(table)", "write"))
    assert broken_rules(code) == []
    assert broken_rules([code[0], code_cell("def f(): ...", MEASURE), *code[1:]]) == []
    assert rule in broken_rules(change(code))


def test_the_smoke_grid_runs_every_template():
    grid = yaml.safe_load((NOTEBOOKS.parent / "workflow" / "grids" / "smoke.yml").read_text())
    assert set(grid["analyses"]) | set(grid["after"]) == set(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_first_code_cell_holds_the_parameters_with_help(name):
    path = NOTEBOOKS / f"{name}.ipynb"
    parameters = notebook_parameters.read_parameters(path)
    assert all(parameter.help for parameter in parameters.values())
    assert missing(set(parameters), sources.imported_names(path)) == set()


def missing(parameters, imports):
    """Return the parameters that a template lacks: what reads features takes any model, task and weights."""
    reads = "diffred_core.features" in imports
    of_model = reads or bool({"model", "task"} & parameters)
    needed = {"model", "task", "seed"} if of_model else set()
    return (needed | ({"checkpoint", "device"} if reads else set())) - parameters


def test_a_missing_parameter_is_seen():
    assert missing({"n_trials"}, {"diffred_core.results"}) == set()
    assert missing({"model", "task"}, {"diffred_core.results"}) == {"seed"}
    assert missing({"n_trials"}, {"diffred_core.features"}) == {"model", "task", "seed", "checkpoint", "device"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_one_title_and_says_how_to_read_it(name):
    prose = "\n".join(map(text_of, cells(NOTEBOOKS / f"{name}.ipynb", "markdown")))
    assert len(re.findall(r"^# ", prose, re.MULTILINE)) == 1
    assert "**Question.**" in prose
    assert "**How to read it.**" in prose


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_last_cell_writes_the_table(name):
    assert ".write(" in text_of(cells(NOTEBOOKS / f"{name}.ipynb", "code")[-1])


def run_all(template, output):
    """Execute a template as JupyterLab does: by nbclient, in the folder of the notebook, with its own defaults."""
    notebook = nbformat.read(template, as_version=4)
    place = {"metadata": {"path": str(template.parent)}}
    nbclient.NotebookClient(notebook, kernel_name="python3", resources=place).execute()
    nbformat.write(notebook, output)
    return output


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Run the templates on an array of embeddings, the summaries on the tables of the others."""
    folder = tmp_path_factory.mktemp("runs")
    X, y = (np.concatenate(parts) for parts in zip(*make_task().splits.values(), strict=True))
    np.savez(folder / "layer.npz", X=X, y=y)
    task = f"embeddings:{folder / 'layer.npz'}"
    probes = QUICK | {"projection_fractions": [0.2], "task": task}
    few_shot = {"model": "synthetic", "task": task, "n_way": 3, "n_episodes": 40, "n_head_episodes": 10, "ways": [2, 4]}
    chosen = {"subset_probes": probes, "subset_similarity": QUICK | {"task": task}, "summary": {}}
    chosen |= {"few_shot": few_shot, "few_shot_summary": {}}
    task_label, model = files.labels({"model": "synthetic", "task": task})
    sides = {"one_task": task_label, "one_model": model, "other_task": task_label, "other_model": model}
    chosen |= {"compare": sides}
    chosen |= {"spectra": QUICK | {"task": task, "n_tangents": 0}}  # a file of embeddings has no network
    outputs = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFRED_RUNS", str(folder / "runs"))
        patch.setenv("PYTHONPATH", str(NOTEBOOKS.parent))  # this checkout, wherever an installed package comes from
        patch.setenv(files.TABLE, str(files.table_path("summary", "summary", ALL)))  # as the runner does
        outputs[ALL] = run_all(NOTEBOOKS / f"{ALL}.ipynb", folder / f"{ALL}.ipynb")
        for name, parameters in chosen.items():
            outputs[name] = folder / f"{name}.ipynb"
            place = files.labels(parameters if "model" in parameters else {})
            patch.setenv(files.TABLE, str(files.table_path(*place, name)))
            papermill.execute_notebook(
                NOTEBOOKS / f"{name}.ipynb",
                outputs[name],
                parameters=parameters,
                progress_bar=False,
                kernel_name="python3",
            )
    return outputs, folder / "runs" / "tables"


def shown(path):
    """Return the HTML outputs of an executed notebook."""
    outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
    return ["".join(output["data"]["text/html"]) for output in outputs if "text/html" in output.get("data", {})]


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
@pytest.mark.parametrize("name", EXECUTED)
def test_every_cell_ran_without_error_or_complaint(name, executed):
    outputs, _ = executed
    for cell in cells(outputs[name], "code"):
        assert cell["execution_count"] is not None
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", output["text"]
            assert not {"image/png", "image/svg+xml"} & set(output.get("data", {})), "show figures with figures.show"


@pytest.mark.parametrize(
    ("name", "n_figures"),
    [
        *(("subset_probes", 6), ("subset_similarity", 1), ("summary", 4)),
        *(("few_shot", 6), ("few_shot_theory", 1), ("few_shot_summary", 1), ("spectra", 3), ("compare", 2)),
    ],
)
def test_every_figure_has_alternative_text_with_numbers(name, n_figures, executed):
    outputs, _ = executed
    pictures = [output for output in shown(outputs[name]) if "<img" in output]
    assert len(pictures) == n_figures
    for picture in pictures:
        for alt in re.findall(r'alt="([^"]*)"', picture):  # several where figures are folded under one
            assert len(alt) > 40
            assert re.search(r"\d", alt)


@pytest.mark.parametrize("name", EXECUTED)
def test_every_table_has_a_caption(name, executed):
    tables = [output for output in shown(executed[0][name]) if "<table" in output]
    assert tables
    assert all(re.search("<caption>.+</caption>", output) for output in tables)


def test_run_all_takes_the_defaults_and_this_python(executed):
    outputs, tables = executed
    defaults = notebook_parameters.read_parameters(NOTEBOOKS / f"{ALL}.ipynb")
    said = results.read_provenance(tables / "summary" / "summary" / f"{ALL}.csv")
    assert said["parameters"] == {name: parameter.default for name, parameter in defaults.items()}
    kernel = json.loads(outputs[ALL].read_text())["metadata"]["language_info"]["version"]
    assert kernel == platform.python_version() == said["versions"]["python"]


def test_tables_are_written_with_their_provenance(executed):
    _, tables = executed
    probes = results.read_all(tables, analysis="subset_probes")
    assert set(probes["probe"].dropna()) == {"ridge", "logistic", "sgd"}
    (path,) = tables.glob("*/*/subset_probes.csv")
    said = results.read_provenance(path)
    assert said["parameters"]["fractions"] == [0.1, 0.2, 0.5]
    assert set(said["feature_keys"]) == {"train", "validation", "test"}
    assert said["wall_seconds"] > 0
    summary = results.read(tables / "summary" / "summary" / "summary.csv")
    drawn = probes.query("method == 'random' and probe == 'logistic' and metric == 'accuracy' and fraction == 0.2")
    assert summary.query("metric == 'accuracy_subset'")["value"].item() == pytest.approx(drawn["value"].mean())


def test_the_finding_on_the_page_is_the_one_of_the_table(executed):
    outputs, tables = executed
    gap = results.read_all(tables, analysis="subset_probes").query(
        "method == 'random' and probe == 'logistic' and metric == 'accuracy_gap' and fraction == 0.2"
    )["value"]
    page = outputs["subset_probes"].read_text()
    assert f"Its accuracy differs by {-100 * gap.item():+.1f} points" in page
    answer = random_subsets.answers.subset_probes(results.read_all(tables, analysis="subset_probes"))
    assert answer.sentence in html.unescape(shown(outputs["subset_probes"])[0]).replace("\xa0", " ")
    assert f"Its accuracy differs by {1 - 100 * gap.item():+.1f} points" not in page


def test_the_few_shot_verdicts_on_the_page_are_those_of_the_table(executed):
    outputs, tables = executed
    table = results.read_all(tables, analysis="few_shot")
    page = outputs["few_shot"].read_text()
    claims = few_shots.claims.all_claims(table)
    assert len(claims) >= 9  # no views: C7 and C8 at 5 shots only
    for claim in claims:
        assert claim.evidence in page
    assert f"{100 * claims[0].value + 1:+.1f} points, 95 % interval" not in claims[0].evidence
    summary = results.read(tables / "summary" / "summary" / "few_shot_summary.csv")
    stored = summary[(summary["metric"] == "claim") & (summary["method"] == claims[0].name)]
    assert stored["value"].item() == pytest.approx(claims[0].value)
    assert stored["label"].item() == claims[0].verdict
