"""Where runs go: the grid's cell, variants beside it, names that stand for one thing, tables of loose notebooks."""

from __future__ import annotations

import json
from pathlib import Path

import nbclient
import nbformat
import papermill
import pytest
import yaml
from small_checkout import PARAMETERS, PROJECT, make_checkout, outputs_of, write_notebook
from typer.testing import CliRunner

from diffred_core import files, provenance, results, running
from diffred_core.cli.commands import app
from diffred_core.errors import InputError
from diffred_core.running.records import read_record

WRITES = """
from diffred_core import results
run = results.Run.begin(globals())
row = {"experiment": "hello", "task": task, "model": model, "layer": "l", "method": "m", "metric": "times"}
print(run.write(results.as_table([row | {"value": times}]), "hello").name)"""
READS = """
from diffred_core import results
print(results.read_all(analysis="hello")["value"].tolist())"""
CELL = ("--model", "c", "--task", "t")


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))  # this checkout, wherever an installed package comes from
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    root = make_checkout(tmp_path / "checkout")
    write_notebook(root / "notebooks/hello.ipynb", WRITES, parameters=f"{PARAMETERS}task_name: str | None = None\n")
    write_notebook(root / "notebooks/other.ipynb", "1")
    write_notebook(root / "notebooks/total.ipynb", READS, parameters="times: int = 1  # how often")
    monkeypatch.chdir(root)
    return root


def diffred(*arguments: str):
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def run(*arguments: str) -> str:
    """Run a notebook and return what it printed."""
    finished = diffred("run", *arguments)
    assert finished.exit_code == 0, finished.output
    return outputs_of(Path(finished.stdout.rpartition(" (")[0])).strip()


def grid(name: str, **content: object) -> None:
    Path(f"workflow/grids/{name}.yml").write_text(yaml.safe_dump(content, sort_keys=False))


def place(analysis: str, *, of_grid: str | None = None, **parameters: object) -> tuple[str, str, str]:
    return running.run_entry(analysis, parameters, grid=of_grid).place


def test_other_parameters_never_take_the_place_of_the_grids_cell(checkout):
    assert run("hello", *CELL, "-p", "times=3") == "hello.csv"
    plain = files.table_path("t", "c", "hello")
    kept = plain.read_bytes()
    assert run("hello", *CELL, "-p", "times=9") == "hello.times-9.csv"
    assert run("hello", *CELL) == "hello.times-2.csv"  # the default is not what the grid lists
    assert plain.read_bytes() == kept
    status = diffred("status", "tiny").stdout
    assert "good    hello  t  c\n" in status
    assert "good    hello  t  c  (times = 9)\n" in status
    assert status.endswith("1 good, 0 stale, 0 failed, 2 missing\n")  # variants are not counted
    rows = json.loads(diffred("status", "tiny", "--json").stdout)
    assert {row["variant"]: row["in_grid"] for row in rows if row["model"] == "c"} == {
        "": True,
        "times = 2": False,
        "times = 9": False,
    }
    assert read_record(files.record_path("t", "c", "hello.times-9")).variant == {"times": 9}
    assert results.read_all(analysis="hello")["value"].tolist() == [3.0]
    assert run("total") == "[3.0]"


def test_a_cell_that_no_grid_lists_has_the_defaults_in_the_plain_place(checkout):
    assert place("hello", task="u", model="c") == ("u", "c", "hello")
    assert place("hello", task="u", model="c", times=2) == ("u", "c", "hello")
    assert place("hello", task="u", model="c", times=3) == ("u", "c", "hello.times-3")
    assert place("total") == ("summary", "summary", "total")
    Path("workflow/grids/broken.yml").write_text("models: [\n")  # is nobody's grid until somebody runs it
    assert place("hello", task="u", model="c") == ("u", "c", "hello")
    with pytest.raises(InputError, match=r"expected YAML in broken\.yml, got while parsing"):
        running.read_grid("broken")


def test_device_and_threads_make_no_variant(checkout):
    parameters = "model: str = 'm'\ntask: str = 't'\ndevice: str = 'cpu'\nprecision: str = 'float32'"
    write_notebook(checkout / "notebooks/there.ipynb", "1", parameters=parameters)
    assert place("there", device="cuda")[2] == "there"
    assert place("there", precision="bfloat16")[2] == "there.precision-bfloat16"


def test_two_grids_that_list_a_cell_differently_keep_apart_and_embedded_is_plain(checkout):
    common = {"models": ["c"], "tasks": ["t"], "after": {"total": {}}}
    grid("embedded", **common, analyses={"hello": {"times": 5}})
    grid("again", **common, analyses={"hello": {"times": 5}})
    grid("tiny", **common, analyses={"hello": {"times": 3}})
    names = {name: [entry.place[2] for entry in running.read_grid(name).entries()] for name in ("embedded", "again")}
    assert names == {"embedded": ["hello", "total"], "again": ["hello", "total"]}
    assert [entry.place[2] for entry in running.read_grid("tiny").entries()] == ["hello.grid-tiny", "total.grid-tiny"]
    assert place("hello", task="t", model="c", times=3)[2] == "hello.grid-tiny"
    assert run("hello", *CELL, "-p", "times=5") == "hello.csv"
    assert running.run_grid("tiny", cores=1, until="summary").startswith("2 jobs done")
    assert results.read(files.table_path("t", "c", "hello"))["value"].tolist() == [5.0]
    assert results.read(files.table_path("t", "c", "hello.grid-tiny"))["value"].tolist() == [3.0]
    # its summary reads its own cells, and is none of embedded's
    assert outputs_of(files.notebook_path("summary", "summary", "total.grid-tiny")) == "[3.0]\n"
    assert not files.notebook_path("summary", "summary", "total").exists()
    assert "2 good, 0 stale, 0 failed, 0 missing" in diffred("status", "tiny").stdout
    assert "1 good, 0 stale, 0 failed, 1 missing" in diffred("status", "embedded").stdout


def test_what_the_book_draws_is_plain_whatever_an_earlier_name_lists(checkout):
    listed = {"models": ["c"], "tasks": ["t"]}
    grid("again", **listed, analyses={"hello": {"times": 5}})
    grid("vast", **listed, analyses={"hello": {"times": 6}})
    grid("zoo", **listed, analyses={"hello": {"times": 7}, "other": {}})
    grid("embedded", kept={"zoo": None, "vast": {"analyses": ["hello"]}})
    kept = files.kept_path("zoo", "t", "c", "hello")
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert [entry.place[2] for entry in running.read_grid("embedded").entries()] == ["hello"]
    names = {name: running.read_grid(name).entries()[0].place[2] for name in ("zoo", "vast", "again")}
    assert names == {"zoo": "hello", "vast": "hello.grid-vast", "again": "hello.grid-again"}
    grid("embedded")  # a book that draws nothing gives the place to the first name
    assert running.read_grid("zoo").entries()[0].place[2] == "hello.grid-zoo"
    assert running.read_grid("again").entries()[0].place[2] == "hello"


def test_the_pages_of_the_book_have_plain_places():
    entries = running.read_grid(files.DEFAULT_GRID).entries()
    assert len(entries) > 100
    assert [entry.place for entry in entries if entry.variant] == []


def test_the_book_shows_every_layer_on_solar_cells_and_networks_trained_here():
    shown = {(e.analysis, e.task): e.kept for e in running.read_grid(files.DEFAULT_GRID).entries()}
    assert shown["layers", "elpv_mono"] == "depth"
    assert shown["tunnel_small_networks", "mnist5k"] == "small_networks"
    assert shown["layers", "mnist5k"] is None  # the default grid computes this one itself


def test_a_summary_of_a_grid_must_be_one_that_it_lists(checkout):
    refused = diffred("run", "hello", *CELL, "--grid", "tiny")
    assert refused.exit_code == 2
    assert "expected an analysis that the grid tiny lists under after, got 'hello' (it lists: total)" in refused.stderr


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ({}, "a"),
        ({"n": 3}, "a.n-3"),
        ({"n": 3, "share": 0.5}, "a.n-3.share-0.5"),
    ],
)
def test_a_variant_is_named_by_its_parameters(variant, name):
    assert files.run_name("a", variant) == name


def test_long_and_strange_parameters_are_cut_and_kept_apart():
    names = [
        files.run_name("a", {"x": x})
        for x in ([0.1, 0.2], (0.1, [0.2]), "b/c", "b c", "y" * 300, "y" * 299, "..", "", 1, -1)
    ]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 70
    assert all(files.slug(name) == name for name in names)
    assert names[0].startswith("a.x-0.1-0.2-")


def test_no_path_of_the_machine_is_published(tmp_path):
    home = Path.home()
    parameters = {
        "task": "folder:/data/of/birds+noise:1",
        "ood_tasks": ["embeddings:/data/x.npz", f"folder:{home}/y", "digits"],
        "checkpoint": "/data/w.pth",
        "layers": "blocks.?/x",
    }
    assert provenance.scrubbed(parameters, tmp_path) == {
        "task": "folder:<elsewhere>/birds+noise:1",
        "ood_tasks": ["embeddings:<elsewhere>/x.npz", "folder:~/y", "digits"],
        "checkpoint": "<elsewhere>/w.pth",
        "layers": "blocks.?/x",
    }
    rules = provenance.path_rules(tmp_path, parameters)
    text = provenance.scrub_text("cannot read '/data/of/birds/owl/1.png', nor /data/of/other", rules)
    assert text == "cannot read '<elsewhere>/birds/owl/1.png', nor /data/of/other"


def test_two_folders_of_one_name_never_share_it(checkout, tmp_path):
    task = {name: f"folder:{tmp_path / name / 'birds'}" for name in ("a", "b")}
    assert run("hello", "--task", task["a"]) == "hello.csv"
    plain = files.table_path("folder:birds", "m", "hello")
    kept = plain.read_bytes()
    refused = diffred("run", "hello", "--task", task["b"])
    assert refused.exit_code == 2
    assert "but 'folder:birds' is taken by another task" in refused.stderr
    assert "give it --task-name (in a grid: name: ...), or remove" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert plain.read_bytes() == kept
    assert run("hello", "--task", task["a"]) == "hello.csv"
    assert run("hello", "--task", task["b"], "--task-name", "other birds") == "hello.csv"
    assert files.table_path("other birds", "m", "hello").is_file()


def test_no_name_stands_for_two_things(checkout, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "w.safetensors").touch()
    write_notebook(checkout / "notebooks/w.ipynb", "1", parameters="model: str = 'm'\ncheckpoint: str | None = None")
    for parameters in (
        {"model": "m", "checkpoint": str(tmp_path / "a/w.safetensors")},
        {"model": "x/y", "task": "embeddings:a.npz"},
        {"model": "x/y", "task": "embeddings:./a.npz"},  # the same file
        {"model": "z", "model_name": "mine"},
        {"model": "n", "model_name": "ordered", "model_args": {"a": 1, "b": 2}},
        {"model": "n", "model_name": "ordered", "model_args": {"b": 2, "a": 1}},  # the same arguments
    ):
        running.claim_names(parameters)
    for parameters, taken in (
        ({"model": "m", "checkpoint": str(tmp_path / "b/w.safetensors")}, "m@w"),
        ({"model": "x:y"}, "x:y"),
        ({"task": "embeddings:b/a.npz"}, "embeddings:a"),
        ({"model": "mine"}, "mine"),
        ({"model": "n", "model_name": "ordered", "model_args": {"a": 2, "b": 1}}, "ordered"),
    ):
        assert running.conflict(parameters)
        with pytest.raises(InputError, match=f"but '{taken}' is taken by another"):
            running.claim_names(parameters)


def test_two_folders_of_one_name_in_a_grid_are_refused_before_anything_runs(checkout, tmp_path):
    tasks = [f"folder:{tmp_path / name / 'birds'}" for name in ("a", "b")]
    grid("tiny", models=["c"], tasks=tasks, analyses={"hello": {}})
    with pytest.raises(InputError, match=r"got 'folder:birds' twice; give one of them a name: \.\.\."):
        running.read_grid("tiny")
    grid("tiny", models=["c"], analyses={"hello": {"tasks": tasks[:1]}, "other": {"tasks": tasks[1:]}})
    with pytest.raises(InputError, match=r"got 'folder:birds' for two tasks; give one of them a name: \.\.\."):
        running.read_grid("tiny")
    run("hello", "--task", tasks[0])
    grid("tiny", models=["c"], tasks=tasks[1:], analyses={"hello": {}})
    with pytest.raises(InputError, match="'folder:birds' is taken by another task"):
        running.run_grid("tiny")
    grid("tiny", models=["c"], tasks=[{"task": tasks[1], "name": "birds"}], analyses={"hello": {}})
    assert [entry.place for entry in running.read_grid("tiny").entries()] == [("birds", "c", "hello")]


def test_plain_papermill_and_jupyterlab_write_beside_the_notebook(checkout, tmp_path, monkeypatch):
    run("hello", *CELL, "-p", "times=3")
    plain = files.table_path("t", "c", "hello")
    kept = plain.read_bytes()
    outside = tmp_path / "out side"
    outside.mkdir()
    monkeypatch.chdir(outside)
    template = str(checkout / "notebooks/hello.ipynb")
    chosen = {"model": "c", "task": f"folder:{tmp_path / 'birds'}", "times": 4}
    names = {"kernel_name": "python3", "language": "python"}
    papermill.execute_notebook(template, "mine.ipynb", parameters=chosen, progress_bar=False, **names)
    notebook = nbformat.read(template, as_version=4)
    place = {"metadata": {"path": str(outside)}}
    nbclient.NotebookClient(notebook, kernel_name="python3", resources=place).execute()
    assert sorted(path.name for path in outside.iterdir()) == [
        "folder-birds--c--hello.times-4.csv",
        "folder-birds--c--hello.times-4.provenance.json",
        "mine.ipynb",
        "t--m--hello.csv",
        "t--m--hello.provenance.json",
    ]
    assert plain.read_bytes() == kept
    written = results.read_provenance(outside / "folder-birds--c--hello.times-4.csv")
    assert written["parameters"]["task"] == "folder:<tmp>/" + str((tmp_path / "birds").relative_to("/tmp"))
