from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from small_checkout import is_running, make_checkout, outputs_of, wait_for, write_notebook

from diffred_core import files
from diffred_core.errors import InputError
from diffred_core.running import run_notebook
from diffred_core.running._execute import judge
from diffred_core.running.records import failed_path, read_record


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    root = make_checkout(tmp_path / "check{out}")  # papermill fills names into braces
    monkeypatch.chdir(root)
    return root


def test_a_good_run_leaves_notebook_and_record(checkout):
    template = write_notebook(checkout / "notebooks/a.ipynb", "import os\nprint(model, times, os.getcwd())")
    record = run_notebook(template, parameters={"times": 5}, output="runs/a.ipynb")
    assert outputs_of(Path("runs/a.ipynb")) == "m 5 .\n"
    assert record == read_record("runs/a.json")
    assert record.parameters == {"model": "m", "task": "t", "times": 5}
    assert record.template_sha256 == files.sha256(template)
    assert record.outputs == {"a.ipynb": files.sha256("runs/a.ipynb")}
    assert record.versions["python"] == sys.version.split()[0]
    assert record.device == "cpu"
    assert 0 < record.seconds < 60
    assert record.peak_memory_mb > 10
    assert sorted(path.name for path in Path("runs").iterdir()) == ["a.ipynb", "a.json"]


def test_equal_runs_are_equal_to_the_byte(checkout):
    template = write_notebook(checkout / "notebooks/a.ipynb", "object()", "{model, str(times)}")
    contents = []
    for name in ("a", "b"):
        run_notebook(template, parameters={"times": 5}, output=f"runs/{name}.ipynb")
        contents.append(Path(f"runs/{name}.ipynb").read_bytes())
    assert contents[0] == contents[1]


def test_no_path_of_this_machine_stays(checkout):
    source = "import pathlib, sys, warnings\nprint(pathlib.Path.cwd(), sys.prefix, pathlib.Path.home() / 'x')"
    template = write_notebook(checkout / "notebooks/a.ipynb", source, "warnings.warn('odd')", "pathlib.Path.cwd()")
    run_notebook(template, parameters={"model": str(Path.home() / "w")}, output="runs/a.ipynb", record="runs/r.json")
    text = Path("runs/a.ipynb").read_text() + Path("runs/r.json").read_text()
    for folder in (checkout, Path(sys.prefix), Path(sys.base_prefix), Path.home(), Path("/tmp/ipykernel")):
        assert str(folder) not in text
    assert "papermill" not in text
    assert ". <environment> ~/x" in text  # the control: the output itself is there
    assert "<cell>:1: UserWarning: odd" in text


def test_the_kernel_is_this_python_with_its_own_settings(checkout, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    source = (
        "import os, sys, json\nprint(json.dumps([sys.executable, os.environ['OMP_NUM_THREADS'],"
        " os.environ['TQDM_DISABLE'], os.environ['MPLBACKEND'], os.environ['IPYTHONDIR'], sys.dont_write_bytecode]))"
    )
    template = write_notebook(checkout / "notebooks/a.ipynb", source)
    run_notebook(template, output="runs/a.ipynb", threads=3)
    executable, threads, no_bars, backend, ipython, no_byte_code = json.loads(outputs_of(Path("runs/a.ipynb")))
    assert Path(executable).name == Path(sys.executable).name
    assert (threads, no_bars, backend) == ("3", "1", "module://matplotlib_inline.backend_inline")
    assert "dr-" in ipython
    assert not no_byte_code


def test_only_products_that_this_run_wrote_are_recorded(checkout):
    template = write_notebook(checkout / "notebooks/a.ipynb", "open('runs/new.csv', 'w').write('1')")
    old = files.write_text("runs/old.csv", "0")
    os.utime(old, (0, 0))
    record = run_notebook(template, output="runs/a.ipynb", products=[old, Path("runs/new.csv"), Path("runs/no.csv")])
    assert set(record.outputs) == {"a.ipynb", "new.csv"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"time": 3}, "no parameter 'time'; did you mean 'times'"), ({"times": "3"}, "times must be int, got '3'")],
)
def test_wrong_parameters_are_refused_before_anything_starts(checkout, parameters, message):
    with pytest.raises(InputError, match=message):
        run_notebook("notebooks/hello.ipynb", parameters=parameters, output="runs/hello.ipynb")
    assert not Path("runs").exists()


def test_a_killed_run_takes_its_kernel_with_it(checkout):
    source = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    write_notebook(checkout / "notebooks/a.ipynb", source)
    code = "from diffred_core.running import run_notebook\nrun_notebook('notebooks/a.ipynb', output='runs/a.ipynb')"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as runner:
        kernel = int(wait_for(lambda: Path("pid").is_file() and Path("pid").read_text()))
        assert is_running(kernel)  # the control: it does run before the signal
        runner.kill()
    wait_for(lambda: not is_running(kernel))
    assert not Path("runs/a.ipynb").exists()
    assert not Path("runs/a.json").exists()


def test_a_notebook_is_good_only_if_every_cell_ran_without_error():
    def executed(count, *outputs):
        return nbformat.v4.new_code_cell("1", execution_count=count, outputs=list(outputs))

    error = nbformat.v4.new_output("error", ename="E", evalue="why", traceback=[])
    empty = nbformat.v4.new_code_cell(" ")
    assert judge(nbformat.v4.new_notebook(cells=[executed(1), empty, executed(2)])) is None
    assert judge(nbformat.v4.new_notebook(cells=[executed(1), executed(None)])) == "1 of its 2 code cells did not run"
    assert judge(nbformat.v4.new_notebook(cells=[executed(1, error)])) == "E: why"


def test_failed_paths_stand_beside_the_good_ones():
    assert failed_path(Path("r/a.b.ipynb")) == Path("r/a.b.failed.ipynb")


@pytest.mark.parametrize("content", [None, "{}", "[1]", "{"])
def test_what_is_no_record_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "r.json").write_text(content)
    with pytest.raises(InputError, match=r"expected the record of a run"):
        read_record(tmp_path / "r.json")
