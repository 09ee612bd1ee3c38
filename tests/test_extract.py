"""`diffred extract` computes what a notebook reads: the run after it finds everything, by the same cells."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest
import torch
from small_checkout import PROJECT, outputs_of, write_notebook
from tiny_world import MODEL, write_checkpoint, write_images
from typer.testing import CliRunner

from diffred_core import files
from diffred_core.cli.commands import app
from diffred_core.errors import InputError
from diffred_core.features import _request
from diffred_core.running import load_features, sources
from diffred_core.running.notebook_parameters import tagged_cells

TEMPLATES = sorted((PROJECT / "notebooks").glob("*.ipynb"))
READING = [path.stem for path in TEMPLATES if "diffred_core.features" in sources.imported_names(path)]
FEW_SHOT = "n_way=2 shots=[1] n_query=5 n_episodes=4 n_head_episodes=2 more_shots=[1] ways=[2] n_per_class=8 n_views=2"
LAYERS = "layers=['blocks.?','penultimate'] shifted_tasks=+contrast:5"


@pytest.fixture
def world(tmp_path, monkeypatch) -> dict[str, str]:
    """Options that name a network and a task; a folder of runs of one's own."""
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("DIFFRED_TERMINAL", "")  # which `extract` sets: put back afterwards
    monkeypatch.chdir(PROJECT)
    write_images(tmp_path / "away", classes=("ant", "bee", "cow"), n=10)
    checkpoint = str(write_checkpoint(tmp_path / "w.safetensors"))
    return {"model": MODEL, "checkpoint": checkpoint, "task": f"folder:{write_images(tmp_path / 'home', n=20)}"}


def options(world: dict[str, str], parameters: str = "", **more: str) -> list[str]:
    named = [word for name, value in {**world, **more}.items() for word in (f"--{name}", value)]
    return [*named, *(word for one in parameters.split() for word in ("-p", one)), "--threads", "1"]


def diffred(*arguments: str):
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def stores() -> dict[Path, int]:
    """Return every file of every feature store, with its time."""
    return {path: path.stat().st_mtime_ns for path in (files.runs_root() / "features").glob("*/*/*/*/*")}


def values(world: dict[str, str], parameters: str, template: Path) -> dict[str, object]:
    from diffred_core.cli._run_commands import parsed
    from diffred_core.running.notebook_parameters import read_parameters

    return {**world, **parsed(parameters.split(), read_parameters(template), template=template.name)}


@pytest.mark.parametrize(
    ("analysis", "parameters", "n_stores"),
    [
        ("subset_probes", "", 3),
        ("subset_similarity", "precision=bf16", 3),
        ("few_shot", f"{FEW_SHOT} other_crop_scales=[[0.1,1.0]]", 3 + 4),  # two crops, two views each
        ("layers", f"{LAYERS} ood_tasks=folder:AWAY", 3 + 3 + 2),  # a shifted task has no training rows
    ],
)
def test_after_extract_a_notebook_computes_no_features(world, tmp_path, monkeypatch, analysis, parameters, n_stores):
    parameters = parameters.replace("AWAY", str(tmp_path / "away"))
    extracted = diffred("extract", analysis, *options(world, parameters), "--stamp", "stamps/s.json")
    assert extracted.exit_code == 0, extracted.output
    assert f"{n_stores} feature stores are whole, all that {analysis} reads" in extracted.stdout
    before = stores()
    assert len([path for path in before if path.name == "manifest.json"]) == n_stores
    named = json.loads((tmp_path / "runs/stamps/s.json").read_text())["files"]
    assert {tmp_path / "runs" / name for name in named} == {path for path in before if path.name == "manifest.json"}

    def refuse(*_args: object, **_options: object) -> None:
        raise AssertionError("a network was loaded")

    monkeypatch.setattr(_request.backbones, "load", refuse)
    template = files.template_path(analysis)
    load_features(template, values(world, parameters, template))
    assert stores() == before
    with pytest.raises(AssertionError, match="a network was loaded"):  # the control: another task does need it
        load_features(template, values({**world, "task": f"{world['task']}+noise:1"}, parameters, template))


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_a_whole_run_after_extract_leaves_the_stores_as_they_are(world):
    assert diffred("extract", "few_shot", *options(world, FEW_SHOT)).exit_code == 0
    before = stores()
    done = diffred("run", "few_shot", *options(world, FEW_SHOT))
    assert done.exit_code == 0, done.output
    assert stores() == before != {}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_a_gpu_too_the_run_finds_what_extract_has_computed(world, monkeypatch):
    for precision in ("fp32", "fp16"):
        assert (
            diffred("extract", "few_shot", *options(world, FEW_SHOT, device="cuda", precision=precision)).exit_code == 0
        )
        before = stores()
        load_features(
            files.template_path("few_shot"),
            {**values(world, FEW_SHOT, files.template_path("few_shot")), "device": "cuda", "precision": precision},
        )
        assert stores() == before


@pytest.mark.parametrize("name", READING)
def test_what_reads_features_names_no_source_outside_its_tagged_cells(name):
    path = PROJECT / "notebooks" / f"{name}.ipynb"
    tagged = tagged_cells(path, "features")
    rest = [c for c in cells_of(path) if c not in tagged]
    assert tagged
    assert [names for names in map(names_in, rest) if names & {"features", "source"}] == []
    assert any(names_in(cell) & {"features", "source"} for cell in tagged)  # the control


def cells_of(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def names_in(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--precision", "fp8"), "expected precision to be one of fp32, bf16, fp16, got 'fp8'"),
        (("--device", "gpu"), "expected device to be cpu, cuda or cuda:N, got 'gpu'"),
        (("--device", "cuda:99"), "expected a CUDA device for device='cuda:99', found"),
        (("-p", "seeds=1"), "subset_probes.ipynb has no parameter 'seeds'; did you mean 'seed'"),
    ],
)
def test_bad_input_is_refused_before_any_work(world, monkeypatch, arguments, sentence):
    monkeypatch.setattr(_request.backbones, "load", None)  # any work would fail otherwise
    refused = diffred("extract", *options(world), *arguments)
    assert refused.exit_code == 2
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert stores() == {}


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_a_run_with_an_unknown_precision_is_refused_too(world):
    refused = diffred("run", "subset_probes", *options(world, precision="fp8"))
    assert (refused.exit_code, stores()) == (2, {})
    sentence = "expected precision to be one of fp32, bf16, fp16, got 'fp8'; did you mean 'fp32' or 'fp16'?"
    assert refused.stderr == f"diffred: {sentence}\n"


def test_a_notebook_without_a_tagged_cell_has_no_features_to_extract(tmp_path):
    notebook = write_notebook(tmp_path / "plain.ipynb", "print(1)")
    with pytest.raises(InputError, match=r"expected a cell of plain.ipynb tagged 'features', got none"):
        load_features(notebook, {})


def test_only_tagged_cells_run_with_parameters_checked_and_given(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook = write_notebook(tmp_path / "some.ipynb", "print(model, times)", "raise ValueError")
    content = json.loads(notebook.read_text())
    content["cells"][2]["metadata"]["tags"] = ["features"]
    notebook.write_text(json.dumps(content))
    load_features(notebook, {"times": 5})
    assert capsys.readouterr().out == "m 5\n"
    with pytest.raises(InputError, match="parameter times must be int, got 'x'"):
        load_features(notebook, {"times": "x"})
    assert os.getcwd() == str(tmp_path)
    assert outputs_of(notebook) == ""
