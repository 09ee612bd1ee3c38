"""Networks that a notebook compares with its own: named in a grid, loaded, looked for on disk, and kept apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_checkout import PROJECT, make_checkout, write_notebook

from diffred_core import features, files
from diffred_core.errors import InputError
from diffred_core.running import check_there, materials_of, needs_of, read_grid
from diffred_core.running.notebook_parameters import read_parameters

PARAMETERS = """\
model: str = "m"
other_models: list[str | dict] = []
factor: str = "design"
task: str = "t"
checkpoint: str | None = None
model_name: str | None = None
model_args: dict | None = None
"""
GRID = """
models:
  - a
  - &b {model: nets.py:make, name: b, checkpoint: weights/b.safetensors, model_args: {width: 2}}
tasks: [t]
analyses:
  hello:
    models: [{model: a, factor: width, other_models: [*b, c]}]
  plain: {}
"""
REGISTER = "weights/b.safetensors: {what: weights of b, sha256: '00', source: s, licence: MIT, made: renamed}\n"
OF_B = {
    **{"model": "nets.py:make", "model_name": "b", "checkpoint": "weights/b.safetensors"},
    **{"model_args": {"width": 2}, "preprocessing": None, "classifier": None},
}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    root = make_checkout(tmp_path / "checkout")
    monkeypatch.chdir(root)
    write_notebook(Path("notebooks/hello.ipynb"), "from diffred_core import features", parameters=PARAMETERS)
    write_notebook(Path("notebooks/plain.ipynb"), "from diffred_core import features", parameters=PARAMETERS)
    Path("workflow/grids/tiny.yml").write_text(GRID)
    Path("workflow/material.yml").write_text(REGISTER)
    return root


def test_a_grid_says_with_what_a_model_is_compared_and_loads_all_of_it_once(checkout: Path) -> None:
    grid = read_grid("tiny")
    (compared,) = (entry for entry in grid.entries() if entry.analysis == "hello")
    assert compared.parameters["factor"] == "width"
    assert compared.model == "a"  # the others have no part in its name
    needs = needs_of(grid)
    assert list(needs.models) == ["a", "b", "c"]
    assert needs.models["b"] == OF_B
    plain = [entry for entry in grid.entries() if entry.analysis == "plain"]
    assert all("other_models" not in entry.parameters for entry in plain)  # elsewhere a model is compared with nothing


def test_weights_of_other_networks_are_looked_for_too(checkout: Path) -> None:
    parameters = read_grid("tiny").entries()[0].parameters
    assert [one.place for one in materials_of(parameters)] == ["weights/b.safetensors"]
    with pytest.raises(InputError, match=r"expected weights of b at weights/b\.safetensors, but there is nothing"):
        check_there(parameters)
    assert materials_of({"model": "a", "task": "t"}) == []


def test_a_name_still_stands_for_one_network(checkout: Path) -> None:
    other = GRID.replace("{model: a, factor", "{model: a, checkpoint: w.safetensors, name: a, factor")
    Path("workflow/grids/tiny.yml").write_text(other)
    with pytest.raises(InputError, match="expected names of their own in the grid tiny, got 'a' for two models"):
        read_grid("tiny")


def test_the_source_of_another_model_keeps_the_task_and_nothing_of_the_network() -> None:
    source = features.Source("m", "digits", checkpoint="w.safetensors", model_name="own", split_seed=3)
    other = source.of_model({"model": "n", "name": "theirs", "preprocessing": {"input_size": 32}})
    assert (other.label, other.task, other.split_seed, other.checkpoint) == ("theirs", "digits", 3, None)
    plain = source.of_model("n")
    assert (plain.label, plain.checkpoint, plain.preprocessing) == ("n", None, None)


@pytest.mark.parametrize("model", [{"name": "x"}, {"model": "m", "weights": "w"}])
def test_a_model_of_a_list_that_is_none_is_refused(model: dict[str, str]) -> None:
    with pytest.raises(InputError, match="expected a model as a name or a mapping with model and any of checkpoint"):
        files.model_parameters(model)


def test_the_grids_of_the_project_compare_networks_of_their_own_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    schema = read_parameters(PROJECT / "notebooks" / "what_governs.ipynb")
    for name in ("full", "embedded"):
        grid = read_grid(name)
        known = {entry.model for entry in grid.entries() if entry.analysis == "subset_probes" and not entry.kept}
        entries = [entry for entry in grid.entries() if entry.analysis == "what_governs" and not entry.kept]
        assert entries
        for entry in entries:
            others = [files.model_parameters(model) for model in entry.parameters["other_models"]]
            assert {files.labels({"task": "t"} | one)[1] for one in others} <= known - {entry.model}
            assert schema["other_models"].check(entry.parameters["other_models"])
