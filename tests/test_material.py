"""Weights and images put into a checkout by hand: the register, what a missing or wrong file says, and ``prepare``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from small_checkout import PROJECT, make_checkout, write_notebook
from typer.testing import CliRunner

from diffred_core import files
from diffred_core.cli._prepare_command import load_model
from diffred_core.cli.commands import app
from diffred_core.errors import InputError
from diffred_core.running import Needs, check_there, needs_of, read_grid, run_grid, tasks_of
from diffred_core.running._snakemake import GridFailure

PARAMETERS = """\
model: str = "m"
task: str = "t"
checkpoint: str | None = None
ood_tasks: list[str] = ["digits"]
model_args: dict | None = None
classifier: str | None = None
preprocessing: dict | None = None
"""
NETWORK = """
from torch import nn
def make():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
"""
PREPROCESSING = "{mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], input_size: 2}"
GRID = f"""
models: [{{model: 'nets.py:make', checkpoint: weights/w.safetensors, preprocessing: {PREPROCESSING}}}]
tasks: ['folder:data/birds']
analyses: {{hello: {{}}}}
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout whose grid reads weights and images that are registered and there."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    root = make_checkout(tmp_path / "checkout")
    monkeypatch.chdir(root)
    write_notebook(Path("notebooks/hello.ipynb"), "from diffred_core import features", parameters=PARAMETERS)
    Path("workflow/grids/tiny.yml").write_text(GRID)
    Path("nets.py").write_text(NETWORK)
    Path("weights").mkdir()
    save_file({"1.weight": torch.ones(2, 12), "1.bias": torch.ones(2)}, "weights/w.safetensors")
    for name in ("train/a/1", "train/a/2", "train/b/1", "train/b/2", "test/a/1", "test/b/1"):
        path = Path("data/birds", f"{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path)
    register(sha256=files.sha256("weights/w.safetensors"), images=6)
    return root


def register(*, sha256: str, images: int) -> None:
    about = {"source": "github.com/x/y @ 12ab, w.th", "licence": "MIT", "made": "renamed"}
    entries = {
        "weights/w.safetensors": {"what": "weights of two classes", "sha256": sha256, **about},
        "data/birds": {"what": "birds of two kinds", "images": images, **about},
    }
    Path("workflow/material.yml").write_text(yaml.safe_dump(entries))


def prepared() -> tuple[int, str]:
    result = CliRunner().invoke(app, ["prepare", "tiny"])
    return result.exit_code, result.output


def test_the_register_of_the_project_says_all_of_each() -> None:
    content = yaml.safe_load((PROJECT / "workflow" / "material.yml").read_text())
    assert len(content) >= 11
    for place, entry in content.items():
        assert {"what", "source", "licence", "made"} <= set(entry), place
        assert ("sha256" in entry) == place.startswith("weights/"), place
        assert ("images" in entry) == place.startswith("data/"), place
        assert len(entry.get("sha256", "0" * 64)) == 64


def test_every_task_that_parameters_name_is_found() -> None:
    parameters = {"task": "digits", "ood_tasks": ["mnist5k"], "shifted_tasks": ["+noise:1"], "seed": 1}
    assert tasks_of(parameters) == ["digits", "mnist5k", "digits+noise:1"]
    assert tasks_of({"fraction": 0.2}) == []


def test_a_grid_needs_each_network_and_task_once(checkout: Path) -> None:
    needs = needs_of(read_grid("tiny"))
    assert (list(needs.models), needs.tasks) == (
        [next(iter(needs.models))],
        ("folder:data/birds", "digits"),
    )
    assert "w" in next(iter(needs.models))
    write_notebook(Path("notebooks/hello.ipynb"), "print(1)", parameters=PARAMETERS)
    assert needs_of(read_grid("tiny")) == Needs({}, ("folder:data/birds", "digits"))  # it trains one of its own


def test_what_is_there_and_whole_is_ready(checkout: Path) -> None:
    code, said = prepared()
    assert code == 0, said
    assert [line.split()[:2] for line in said.splitlines()] == [
        ["ready", "model"],
        ["ready", "task"],
        ["ready", "task"],
    ]


@pytest.mark.parametrize(
    ("lost", "what", "place"),
    [
        ("weights/w.safetensors", "weights of two classes", "weights/w.safetensors"),
        ("data/birds", "birds of two kinds", "data/birds"),
    ],
)
def test_what_is_missing_names_its_place_and_source_everywhere(
    checkout: Path, lost: str, what: str, place: str
) -> None:
    shutil.rmtree(lost) if Path(lost).is_dir() else Path(lost).unlink()
    sentence = (
        f"expected {what} at {place}, but there is nothing; make it of github.com/x/y @ 12ab, w.th (renamed) and put "
        "it there"
    )
    code, said = prepared()
    assert code == 1
    assert said.count("missing  ") == 1
    assert sentence in said
    assert "1 of 3 weights and tasks of the grid tiny are not ready" in said
    (entry,) = read_grid("tiny").entries()
    with pytest.raises(InputError, match="but there is nothing; make it of"):
        check_there(entry.parameters)
    options = ["run", "hello", "--model", "m", "--task", "folder:data/birds", "--checkpoint", "weights/w.safetensors"]
    assert sentence in CliRunner().invoke(app, options).output
    with pytest.raises(GridFailure) as failure:
        run_grid("tiny", cores=1, until="features")
    assert sentence in str(failure.value)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"sha256": "0" * 64, "images": 6}, f"expected the file with sha256 {'0' * 64} at weights/w.safetensors, got "),
        ({"images": 7}, "expected 7 images in data/birds, got 6; make it of github.com/x/y"),
    ],
)
def test_another_file_in_its_place_is_refused(checkout: Path, facts: dict[str, object], message: str) -> None:
    register(**{"sha256": files.sha256("weights/w.safetensors"), **facts})
    code, said = prepared()
    assert code == 1
    assert message in said


def test_files_that_nobody_registered_are_left_to_their_loaders(checkout: Path) -> None:
    Path("workflow/material.yml").unlink()
    assert prepared()[0] == 0
    Path("weights/w.safetensors").unlink()
    check_there({"checkpoint": "weights/w.safetensors"})
    assert "expected a checkpoint file, but there is none at" in prepared()[1]


def test_a_network_that_takes_the_size_of_its_task_is_ready_without_one() -> None:
    made = {"model": f"{PROJECT}/workflow/networks/cifar_resnet.py:cifar_resnet", "model_args": {"depth": 8}}
    load_model(**made, preprocessing={"mean": [0.5] * 3, "std": [0.5] * 3})
    with pytest.raises(InputError, match="expected mean, std, input_size in the preprocessing of"):  # the control
        load_model(**made, preprocessing={"mean": [0.5] * 3})
