from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from small_checkout import PROJECT, make_checkout, outputs_of, write_notebook
from typer.testing import CliRunner

from diffred_core import files, staging
from diffred_core.cli.commands import app
from diffred_core.running.records import failed_path, read_record

CELL_C = ("--model", "c", "--task", "t", "-p", "times=3")


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    root = make_checkout(tmp_path / "checkout")
    monkeypatch.chdir(root)
    return root


def diffred(*arguments: str):
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_run_puts_everything_in_its_place(checkout, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    source = "import os\nfrom diffred_core import files\nfiles.write_text(os.environ[files.TABLE], '1')"
    write_notebook(checkout / "notebooks/hello.ipynb", source, "print(model, times)")
    result = diffred(
        "run", "hello", "--model", "a/b", "--task", "folder:x", "-p", "times=2", "--stamp", "stamps/s.json"
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(str(checkout / "runs/notebooks/folder-x/a-b/hello.ipynb"))
    assert "a/b 2" in outputs_of(files.notebook_path("folder:x", "a/b", "hello"))
    record = read_record(files.record_path("folder:x", "a/b", "hello"))
    assert record.parameters == {"model": "a/b", "task": "folder:x", "times": 2}
    outputs = {"notebooks/folder-x/a-b/hello.ipynb", "tables/folder-x/a-b/hello.csv"}
    assert set(record.outputs) == outputs
    assert all(name in (checkout / "runs/stamps/s.json").read_text() for name in outputs)


def test_a_file_beside_the_table_that_is_lost_or_edited_is_a_failed_run(checkout):
    source = """
from diffred_core import files
for path in files.table_files(task, model, "hello"):
    files.write_text(path, path.name)"""
    write_notebook(checkout / "notebooks/hello.ipynb", source)
    assert diffred("run", "hello", *CELL_C, "--stamp", "stamps/s.json").exit_code == 0
    assert ".provenance." not in (checkout / "runs/stamps/s.json").read_text()
    table, provenance, episodes, _ = files.table_files("t", "c", "hello")
    assert status_of("c").startswith("good")
    for path in (episodes, provenance, table):
        content = path.read_text()
        path.write_text("edited")
        assert f"{path.name} is not the file that the run wrote" in status_of("c")
        path.unlink()
        assert status_of("c").startswith("failed")
        path.write_text(content)
        assert status_of("c").startswith("good")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"template": "x"}', "3"])
def test_a_record_that_is_none_is_one_failed_cell(checkout, text):
    assert diffred("run", "hello", *CELL_C).exit_code == 0
    record = files.record_path("t", "c", "hello")
    good = record.read_text()
    record.write_text(text)
    assert status_of("c").startswith("failed")
    assert len([line for line in diffred("status", "tiny").stdout.splitlines() if "hello" in line]) == 2
    record.write_text(good)
    failed = failed_path(record)
    failed.write_text(text)
    assert "no message that can be read" in status_of("c")
    failed.unlink()
    assert status_of("c").startswith("good")


def test_a_record_outside_the_grid_that_is_none_is_one_failed_cell_too(checkout):
    files.write_text(files.record_path("elsewhere", "m", "hello"), "{")
    (run,) = staging.find_runs([])
    assert (run.state, run.cell.place) == ("failed", ("elsewhere", "m", "hello"))
    assert "expected the record of a run" in run.reason.lower()


def status_of(model: str) -> str:
    """Return the line of the status of the cell hello of a model on t."""
    (line,) = [x for x in diffred("status", "tiny").stdout.splitlines() if f"hello  t  {model} " in f"{x} "]
    return line


def test_a_notebook_without_model_and_task_is_a_summary(checkout):
    assert diffred("run", "total").exit_code == 0
    assert files.notebook_path("summary", "summary", "total").is_file()


def test_a_failed_run_is_one_sentence_and_exit_code_1(checkout):
    write_notebook(checkout / "notebooks/hello.ipynb", "raise ValueError('odd')")
    result = diffred("run", "hello", "--stamp", "stamps/s.json")
    assert result.exit_code == 1
    why = "hello.ipynb failed in code cell 2 of 2 (raise ValueError('odd')): ValueError: odd"
    kept = files.notebook_path("t", "m", "hello.failed")
    assert kept.is_file()
    assert result.stderr == f"diffred: {why}; as far as it came: {kept}\n"
    assert not Path("runs/stamps/s.json").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "helo"], "there is none; did you mean 'hello'?"),
        (["run", "hello", "-p", "time=3"], "hello.ipynb has no parameter 'time'; did you mean 'times'?"),
        (["run", "hello", "-p", "times=x"], "parameter times must be int, got 'x'"),
        (["run", "hello", "-p", "times"], "-p takes name=value, got 'times'"),
        (["run", "total", "--model", "a"], "total.ipynb has no parameter 'model'"),
        (["grid", "tiney"], "there is no grid 'tiney'; did you mean 'tiny'?"),
        (["grid", "tiny", "--profile", "slrm"], "there is no profile 'slrm'; did you mean 'slurm'?"),
        (["parameters", "helo"], "did you mean 'hello'?"),
        (["grid", "tiny", "--until", "cel"], "--until must be one of features, cell, summary, stage, book, got 'cel'"),
        (["models", "resnt18"], "timm has no pretrained model 'resnt18'; did you mean 'resnet18."),
        (["build"], "expected a staged book at"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(checkout, arguments, sentence):
    result = diffred(*arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.startswith("diffred: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_parameters_are_listed_as_the_notebook_has_them(checkout):
    assert diffred("parameters", "hello").stdout == (
        "model: str = 'm'  which network\ntask: str = 't'  which data\ntimes: int = 2  how often\n"
    )


def test_status_tells_good_stale_failed_and_missing_apart(checkout):
    assert "3 missing" in diffred("status", "tiny").stdout
    diffred("run", "hello", "--model", "c", "--task", "t", "-p", "times=3")
    assert "good    hello  t  c\n" in diffred("status", "tiny").stdout
    tiny = checkout / "workflow/grids/tiny.yml"
    tiny.write_text(tiny.read_text().replace("times: 3", "times: 4"))
    assert "stale   hello  t  c  The grid asks for times=4." in diffred("status", "tiny").stdout
    tiny.write_text(tiny.read_text().replace("times: 4", "times: 3"))
    write_notebook(checkout / "notebooks/hello.ipynb", "1 / 0")
    diffred("run", "hello", "--model", "a/b", "--task", "t", "-p", "times=3")
    text = diffred("status", "tiny").stdout
    assert "failed  hello  t  a/b  hello.ipynb failed in code cell 3 of 3" in text
    assert "stale   hello  t  c  The template notebooks/hello.ipynb has changed since." in text
    assert text.endswith("0 good, 1 stale, 1 failed, 1 missing\n")


def test_installed_models_and_named_tasks_are_listed():
    assert "tf_efficientnet_lite0.in1k\n" in diffred("models").stdout
    assert "resnet18.tv_in1k\n" in diffred("models", "resnet18*").stdout
    assert diffred("models", "no-such-*").exit_code == 2
    assert {"elpv", "mnist5k", "digits", "torchvision:CIFAR10"} <= set(diffred("tasks").stdout.split())


def test_bad_input_found_inside_a_notebook_is_one_sentence_and_exit_code_two(checkout):
    source = "from diffred_core.errors import InputError\nraise InputError('expected a, got b; pass c')"
    write_notebook(checkout / "notebooks/hello.ipynb", source)
    result = diffred("run", "hello", "--model", "m", "--task", "t")
    assert (result.exit_code, result.stderr) == (2, "diffred: expected a, got b; pass c\n")
    write_notebook(checkout / "notebooks/hello.ipynb", "1 / 0")
    assert diffred("run", "hello", "--model", "m", "--task", "t").exit_code == 1


def test_version_and_short_help_are_there():
    assert diffred("--version").stdout == f"diffred {metadata.version('diffred-core')}\n"
    assert diffred("run", "-h").stdout == diffred("run", "--help").stdout != ""
    assert "--install-completion" in diffred("-h").stdout


def test_notebooks_and_grids_are_listed(checkout):
    assert diffred("notebooks").stdout == "hello\ntotal\n"
    assert "tiny" in diffred("grids").stdout.split()
    assert json.loads(diffred("notebooks", "--json").stdout) == ["hello", "total"]


def test_lists_are_json_for_programs(checkout):
    first, *_ = json.loads(diffred("parameters", "hello", "--json").stdout)
    assert first == {"name": "model", "kind": "str", "default": "m", "help": "which network"}
    assert "elpv" in json.loads(diffred("tasks", "--json").stdout)
    states = json.loads(diffred("status", "tiny", "--json").stdout)
    assert {state["state"] for state in states} == {"missing"}
    assert len(states) == 3


def test_status_exits_with_1_until_all_is_there(checkout):
    (checkout / "workflow/grids/one.yml").write_text("after: {total: {}}")
    assert diffred("status", "one").exit_code == 1
    diffred("run", "total")
    assert diffred("status", "one").exit_code == 0


def test_a_device_is_a_parameter_of_the_notebook_or_refused(checkout):
    parameters = "model: str = 'm'\ntask: str = 't'\ndevice: str = 'cpu'"
    write_notebook(checkout / "notebooks/there.ipynb", "print('on', device)", parameters=parameters)
    diffred("run", "there", "--device", "meta")
    assert outputs_of(files.notebook_path("t", "m", "there")) == "on meta\n"
    refused = diffred("run", "hello", "--device", "meta")
    assert (refused.exit_code, "hello.ipynb has no parameter 'device'" in refused.stderr) == (2, True)


def test_a_kernel_knows_the_terminal_on_which_an_extraction_shows_its_bar(checkout, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    source = "import os\nprint(os.environ.get('DIFFRED_TERMINAL'))"
    write_notebook(checkout / "notebooks/reads.ipynb", source, parameters="model: str = 'm'\ntask: str = 't'")
    command = [sys.executable, "-m", "diffred_core.cli", "run", "reads", "--threads", "1"]

    subprocess.run(command, capture_output=True, check=True)
    assert outputs_of(files.notebook_path("t", "m", "reads")) == "None\n"

    reader, terminal = pty.openpty()
    name = os.ttyname(terminal)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal) as running:
        os.close(terminal)
        with contextlib.suppress(OSError):  # which is how a terminal ends that nobody writes to any more
            while os.read(reader, 4096):
                pass
        running.communicate()
    os.close(reader)
    assert outputs_of(files.notebook_path("t", "m", "reads")) == f"{name}\n"
