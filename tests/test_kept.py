"""Tables kept in the checkout: written, drawn by the notebooks that computed them, refused when damaged, compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from small_checkout import PARAMETERS, PROJECT, make_checkout, outputs_of
from typer.testing import CliRunner

from diffred_core import files, results, running
from diffred_core.cli.commands import app
from diffred_core.errors import InputError
from diffred_core.running.records import read_record

CELLS = {
    "begin": "from diffred_core import results\n\nrun = results.Run.begin(globals())",
    "features": "print('features are loaded')",
    "sweep": (
        "row = {'experiment': 'hello', 'task': task, 'model': model, 'layer': 'l', 'method': 'm', 'n_features': 4}\n"
        "table = results.as_table([row | {'metric': 'accuracy', 'repeat': i, 'value': 0.1 * i} for i in range(times)])"
    ),
    "": "print('mean', round(table['value'].mean(), 6))",
    "write": "path = run.write(table, 'hello', inputs={'test': 'abc'})",
}
SUMMARY = "from diffred_core import results\nprint(results.read_all(analysis='hello')['model'].unique().tolist())"
PLACE = ("t", "a/b", "hello")
CELL = ("--model", "a/b", "--task", "t", "-p", "times=3")


def notebook(path: Path, cells: dict[str, str], parameters: str) -> None:
    nodes = [nbformat.v4.new_markdown_cell(f"# {path.stem}", id="title")]
    nodes += [
        nbformat.v4.new_code_cell(source, id=f"c{i}", metadata={"tags": [tag]} if tag else {})
        for i, (tag, source) in enumerate({"parameters": parameters, **cells}.items())
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=nodes), path)


def git(*arguments: str) -> None:
    named = ("-c", "user.name=n", "-c", "user.email=e@x")
    subprocess.run(["git", *named, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    root = make_checkout(tmp_path / "checkout")
    notebook(root / "notebooks/hello.ipynb", CELLS, PARAMETERS)
    notebook(root / "notebooks/total.ipynb", {"": SUMMARY}, "times: int = 1  # how often")
    for other in (root / "workflow/grids").glob("*.yml"):
        if other.stem != "tiny":
            other.unlink()
    drawing = {"models": ["c"], "tasks": ["t"], "analyses": {"hello": {"times": 2}}, "after": {"total": {}}}
    (root / "workflow/grids/drawing.yml").write_text(yaml.safe_dump({**drawing, "kept": {"tiny": None}}))
    (root / ".gitignore").write_text("runs/\n.snakemake/\n")
    monkeypatch.chdir(root)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    return root


def diffred(*arguments: str):
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def kept(grid: str = "tiny") -> Path:
    """Keep the table that the cell would compute, as if a commit without changes had computed it."""
    made_by = {"parameters": {"model": "a/b", "task": "t", "times": 3}, "commit": "0" * 40, "dirty": False}
    made_by |= {"created": "2026-01-01", "wall_seconds": 1.0, "machine": "m"}
    row = {"experiment": "hello", "task": "t", "model": "a/b", "layer": "l", "method": "m", "n_features": 4}
    rows = [row | {"metric": "accuracy", "repeat": i, "value": 0.1 * i} for i in range(3)]
    table = results.write(results.as_table(rows), Path("runs/elsewhere.csv"), provenance=made_by)
    return results.keep(table, files.kept_path(grid, *PLACE))


def test_a_kept_table_is_read_as_it_was_with_its_provenance(checkout):
    path = kept()
    table, made_by = results.read_kept("tiny", *PLACE)
    assert table["value"].tolist() == [0.0, 0.1, 0.2]
    assert made_by["commit"] == "0" * 40
    assert results.check(table).equals(results.read("runs/elsewhere.csv"))
    assert path == Path.cwd() / "kept/tiny/t/a-b/hello.parquet"


def test_a_table_of_a_changed_checkout_is_not_kept(checkout):
    kept()
    beside = results.provenance_path(Path("runs/elsewhere.csv"))
    beside.write_text(json.dumps(json.loads(beside.read_text()) | {"dirty": True}))
    with pytest.raises(InputError, match=r"expected runs/elsewhere\.csv from a checkout without changes, so that"):
        results.keep("runs/elsewhere.csv", files.kept_path("tiny", *PLACE))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("table", "expected the table that its provenance describes in .*hello.parquet, got another"),
        ("provenance", "expected a kept table at .*hello.parquet, but its provenance is missing or not as it was"),
        ("provenance gone", "expected a kept table at .*hello.parquet, but its provenance is missing or not as it was"),
        ("table gone", "expected a kept table at .*hello.parquet, but there is none"),
        ("schema", "expected a results table in .*hello.parquet, got one that breaks the schema"),
        ("place", "expected the table of t and c in .*hello.parquet, got another's"),
    ],
)
def test_a_damaged_kept_table_is_refused_by_name_with_the_command_that_makes_it(checkout, damage, sentence):
    path, place = kept(), PLACE
    beside = results.provenance_path(path)
    if damage == "table":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    elif damage == "provenance":
        beside.write_text(beside.read_text().replace('"dirty": false', '"dirty": true'))
    elif damage.endswith("gone"):
        (path if damage == "table gone" else beside).unlink()
    elif damage == "schema":
        results._parquet.write_parquet(results.read_kept("tiny", *PLACE)[0].drop(columns="value"), path)
        content = files.read_sealed(beside)
        files.write_sealed(beside, content | {"parquet_sha256": files.sha256(path)})
    else:
        place = ("t", "c", "hello")
        moved = files.kept_path("tiny", *place)
        moved.parent.mkdir()
        path.rename(moved)
        beside.rename(results.provenance_path(moved))
    with pytest.raises(
        InputError, match=f"{sentence}.*; make it anew: diffred grid tiny --until cell, then diffred keep"
    ):
        results.read_kept("tiny", *place)


def test_a_drawing_computes_nothing_and_shows_the_kept_rows(checkout):
    kept()
    drawn = diffred("run", "hello", *CELL, "--kept", "tiny")
    assert drawn.exit_code == 0, drawn.output
    page = files.notebook_path(*PLACE)
    assert outputs_of(page).split("\n")[:2] == ["mean 0.1", "3 rows, drawn from kept/tiny"]
    assert "results.read_kept('tiny', 't', 'a/b', 'hello')" in page.read_text()
    assert "features are loaded" not in page.read_text()
    assert read_record(files.record_path(*PLACE)).kept == "tiny"
    assert results.read_provenance(files.table_path(*PLACE))["commit"] == "0" * 40  # of who computed it
    computed = diffred("run", "hello", *CELL)  # the control, which takes the place of a drawing
    assert computed.exit_code == 0, computed.output
    assert "features are loaded" in outputs_of(page)
    assert read_record(files.record_path(*PLACE)).kept is None


def test_a_drawing_never_takes_the_place_of_a_computed_table(checkout):
    kept()
    assert diffred("run", "hello", *CELL).exit_code == 0
    before = files.notebook_path(*PLACE).read_bytes()
    refused = diffred("run", "hello", *CELL, "--kept", "tiny")
    assert (refused.exit_code, files.notebook_path(*PLACE).read_bytes()) == (2, before)
    assert "its table has been computed here; the page of that run stands" in refused.stderr
    assert [entry.kept for entry in running.read_grid("drawing").entries()] == [None, None]


def test_a_notebook_without_tags_cannot_draw(checkout):
    kept()
    refused = diffred("run", "total", "--kept", "tiny")
    assert refused.exit_code == 2
    assert "expected cells tagged features or sweep and one tagged write in total.ipynb" in refused.stderr


@pytest.mark.parametrize("runs", ["inside", "outside"])
def test_a_grid_draws_what_another_has_kept_and_its_summary_reads_it(runs, checkout, tmp_path, monkeypatch):
    if runs == "outside":
        monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "elsewhere"))
    kept()
    places = {entry.place: entry.kept for entry in running.read_grid("drawing").entries()}
    assert places == {("t", "c", "hello"): None, ("t", "a/b", "hello"): "tiny", ("summary", "summary", "total"): None}
    command = [sys.executable, "-m", "diffred_core.cli", "grid", "drawing", "--until", "summary", "--cores", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "drawn from kept/tiny" in outputs_of(files.notebook_path(*PLACE))
    assert outputs_of(files.notebook_path("summary", "summary", "total")).strip() == "['a/b', 'c']"
    assert read_record(files.record_path("summary", "summary", "total")).grid == "drawing"
    files.kept_path("tiny", *PLACE).unlink()  # the control: without it, neither page nor row
    assert ("t", "a/b", "hello") not in {entry.place for entry in running.read_grid("drawing").entries()}


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"model": ["a/b"]}, "expected analyses, tasks, models below a grid of kept in drawing.yml, got 'model'"),
        (
            {"models": ["a/c"]},
            r"expected models of kept in drawing.yml from that grid, got 'a/c'; did .* \(it has: a/b, c\)",
        ),
    ],
)
def test_what_a_grid_draws_is_named_by_what_the_other_has(checkout, chosen, sentence):
    path = Path("workflow/grids/drawing.yml")
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"kept": {"tiny": chosen}}))
    with pytest.raises(InputError, match=sentence):
        running.read_grid("drawing")


def test_a_part_of_what_is_kept_gets_pages(checkout):
    kept()
    path = Path("workflow/grids/drawing.yml")
    two = [{"models": ["c"]}, {"models": ["a/b"], "tasks": ["t"]}]
    for chosen, drawn in (({"models": ["a/b"]}, 1), ({"models": ["c"]}, 0), (two, 1), (None, 1)):
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"kept": {"tiny": chosen}}))
        assert sum(entry.kept is not None for entry in running.read_grid("drawing").entries()) == drawn


def test_verify_computes_anew_and_says_what_differs(checkout):
    path = kept()
    same = diffred("verify", "tiny")
    assert same.exit_code == 0, same.output
    assert same.stdout.split()[-5:] == ["accuracy", "3", "0", "0", "0"]
    table, made_by = results.read_kept("tiny", *PLACE)
    results._parquet.write_parquet(table.assign(value=table["value"] + 0.02), path)
    files.write_sealed(results.provenance_path(path), made_by | {"parquet_sha256": files.sha256(path)})
    other = diffred("verify", "tiny")
    assert other.exit_code == 1
    assert "expected equal rows, mean differences of at most 0.005; others have hello  t  a/b" in other.stderr
    assert diffred("verify", "tiny", "--tolerance", "0.03").exit_code == 0
    none = diffred("verify", "drawing")
    assert (none.exit_code, "expected kept tables of the grid drawing, got none" in none.stderr) == (2, True)


def test_differences_are_absolute_up_to_one_and_shares_above(checkout):
    kept()
    table, _ = results.read_kept("tiny", *PLACE)
    other = table.assign(value=[0.0, 0.13, 200.0]).drop(index=0)
    compared = results.compare(other, table.assign(value=[0.0, 0.1, 100.0])).iloc[0]
    assert (compared["n_rows"], compared["n_missing"], compared["greatest_difference"]) == (2, 1, 1.0)
    assert compared["mean_difference"] == pytest.approx((0.03 + 1.0) / 2)


def test_keep_keeps_whole_runs_and_removes_what_is_not_listed(checkout, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(checkout / ".git"))  # so that provenance names the commit of this checkout
    monkeypatch.setenv("GIT_WORK_TREE", str(checkout))
    assert diffred("run", "hello", *CELL).exit_code == 0
    leftover = kept("tiny").with_name("gone.parquet")
    leftover.write_bytes(b"")
    said = diffred("keep", "tiny")
    assert said.exit_code == 1
    assert said.stdout.startswith("1 tables are kept, ")
    assert "expected a whole run of every cell, got none of 1:\n  hello  c on t" in said.stderr
    assert not leftover.exists()
