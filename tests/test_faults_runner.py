"""Faults of one run: what was good stays to the byte, status names the cell, the next run ends as if nothing was."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from faults import as_anybody, full_disk, read_only
from small_checkout import PROJECT, is_running, make_checkout, outputs_of, wait_for, write_notebook
from typer.testing import CliRunner

from diffred_core import files
from diffred_core.cli.commands import app
from diffred_core.running import NotebookError, run_notebook
from diffred_core.running.records import failed_path, read_record

PLACE = ("t", "c", "hello")
RUN = ("run", "hello", "--model", "c", "--task", "t", "-p", "times=3")
# Executed where the file `fault` says so: before the table is written, and after.
BREAK = "exec(Path('fault').read_text() if Path('fault').exists() and Path('when').read_text() == {!r} else '')"
CELLS = (
    "import os, signal, time\nfrom pathlib import Path\nfrom diffred_core import files\nprint('begun')",
    BREAK.format("before"),
    "for path in files.table_files(task, model, 'hello'):\n"
    '    files.write_text(path, f\'{path.name} {times} {os.environ.get("CONTENT", "")}\')',
    BREAK.format("after"),
)
DIE = "time.sleep(1); os.kill(os.getpid(), signal.SIGKILL)"  # what the cell has said needs a moment to leave
SLEEP = "Path('pid').write_text(str(os.getpid())); time.sleep(60)"
FAULTS = {
    "error": ("before", "1 / 0", (), "in code cell 4 of 7 .*: ZeroDivisionError: division by zero"),
    "error after the table": ("after", "1 / 0", (), "in code cell 6 of 7 .*: ZeroDivisionError"),
    "left without an error": (
        "after",
        "raise SystemExit",
        (),
        "in code cell 6 of 7 .*: SystemExit",
    ),  # papermill is content
    "kernel killed": ("after", DIE, (), "in code cell 6 of 7 .*: the kernel died"),
    "cell timeout": ("after", SLEEP, ("--cell-timeout", "1"), "in code cell 6 of 7 .*: the cell took longer than 1 s"),
    "timeout": ("before", SLEEP, ("--timeout", "4"), "in code cell 4 of 7 .*: the whole run took longer than 4 s"),
    "full disk": ("after", "print('x' * 200_000)", (), "File too large"),
}
"""When, what, with which limits, and what is said of it."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout with one good run."""
    root = make_checkout(tmp_path_factory.mktemp("faults") / "check {out} 'of' \"two\" words")
    write_notebook(root / "notebooks/hello.ipynb", *CELLS, "print('ended')")
    (root / "workflow/grids/tiny.yml").write_text("models: [c]\ntasks: [t]\nanalyses: {hello: {times: 3}}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DIFFRED_RUNS", raising=False)
        patch.chdir(root)
        assert diffred(*RUN)[0] == 0
        shutil.copytree("runs", "good")
        yield root


@pytest.fixture
def good(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Return the files of the good run, which are there and no others."""
    monkeypatch.setenv("CONTENT", "other")  # a failing run would write another table
    for name in ("fault", "when", "pid"):
        Path(name).unlink(missing_ok=True)
    shutil.rmtree("runs")
    shutil.copytree("good", "runs")
    return snapshot()


def diffred(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def snapshot() -> dict[str, bytes]:
    """Return the files of runs/, hidden ones too."""
    return {
        path.relative_to("runs").as_posix(): path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()
    }


def status() -> str:
    return diffred("status", "tiny")[1].splitlines()[0]


def break_it(when: str, source: str) -> None:
    Path("when").write_text(when)
    Path("fault").write_text(source)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_that_fails_leaves_all_that_was_good(fault: str, good: dict[str, bytes]) -> None:
    when, source, limits, why = FAULTS[fault]
    assert status() == "good    hello  t  c"
    break_it(when, source)
    with full_disk(at=100_000) if fault == "full disk" else contextlib.nullcontext():
        code, _, sentence = diffred(*RUN, *limits)
    assert code == 1
    assert pytest.RaisesExc(Exception, match=why).matches(Exception(sentence))
    assert sentence.startswith("diffred: hello.ipynb failed ")
    assert sentence.count("\n") == 1
    after = snapshot()
    assert {name: after.pop(name) for name in good} == good
    assert set(after) <= {"notebooks/t/c/hello.failed.ipynb", "records/t/c/hello.failed.json"}
    assert status().startswith("failed  hello  t  c  The last attempt failed, the page shows the run before it. hello")
    if fault != "full disk":
        assert outputs_of(failed_path(files.notebook_path(*PLACE))).startswith("begun\n")


def test_the_next_run_ends_as_if_there_had_been_no_fault(
    good: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it("after", "1 / 0")
    assert diffred(*RUN)[0] == 1
    Path("fault").unlink()
    monkeypatch.delenv("CONTENT")
    assert diffred(*RUN)[0] == 0
    after = snapshot()
    assert set(after) == set(good)  # and no trace of the failure
    assert {name for name in good if after[name] != good[name]} == {"records/t/c/hello.json"}  # its times
    assert status() == "good    hello  t  c"


def test_a_first_run_that_fails_leaves_no_table(checkout: Path, good: dict[str, bytes]) -> None:
    break_it("after", "1 / 0")
    assert diffred("run", "hello", "--model", "first", "--task", "t")[0] == 1
    after = {name for name in snapshot() if "first" in name} - {"names/models/first.json"}
    assert after == {"notebooks/t/first/hello.failed.ipynb", "records/t/first/hello.failed.json"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_an_interrupted_run_leaves_all_that_was_good_and_no_kernel(
    number: signal.Signals, good: dict[str, bytes]
) -> None:
    break_it("after", SLEEP)
    with subprocess.Popen(command(*RUN), stderr=subprocess.DEVNULL, env=environment()) as running:
        kernel = int(wait_for(lambda: Path("pid").is_file() and Path("pid").read_text()))
        assert is_running(kernel)  # the control
        assert snapshot()["tables/t/c/hello.csv"].endswith(b"other")
        running.send_signal(number)
        assert running.wait(timeout=40) != 0
    wait_for(lambda: not is_running(kernel))
    after = snapshot()
    assert {name: after.pop(name) for name in good} == good
    assert "it was interrupted" in status()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "diffred_core.cli", *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(PROJECT)}


def test_runs_of_one_cell_at_once_end_like_one(good: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONTENT")
    running = [subprocess.Popen(command(*RUN), stdout=subprocess.DEVNULL, env=environment()) for _ in range(2)]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    after = snapshot()
    assert set(after) == set(good)
    assert {name for name in good if after[name] != good[name]} == {"records/t/c/hello.json"}
    assert status() == "good    hello  t  c"


def test_output_that_cannot_be_written_is_a_sentence_and_reading_goes_on(good: dict[str, bytes]) -> None:
    with read_only(Path("runs")):
        denied = subprocess.run([*as_anybody(), *command(*RUN)], capture_output=True, text=True, env=environment())
        again = subprocess.run(
            [*as_anybody(), *command("status", "tiny")], capture_output=True, text=True, env=environment()
        )
    assert denied.returncode == 2
    assert denied.stderr.startswith("diffred: expected files and folders that can be read and written, got Permission")
    assert denied.stderr.count("\n") == 1
    assert again.stdout.startswith("good    hello  t  c\n")
    assert snapshot() == good


@pytest.mark.parametrize(
    "arguments", [RUN, ("grid", "tiny"), ("grid", "tiny", "-n")], ids=lambda words: " ".join(words)
)
def test_a_place_for_results_that_is_none_is_a_sentence(
    arguments: tuple[str, ...], good: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "file" / "runs"))
    code, _, sentence = diffred(*arguments)
    assert code == 2
    assert "got Not a directory at" in sentence
    assert "set DIFFRED_RUNS to another folder" in sentence
    assert sentence.count("\n") == 1


def test_what_a_run_wrote_is_told_without_clocks(checkout: Path, good: dict[str, bytes], tmp_path: Path) -> None:
    future = 4 * 10**9  # the year 2096
    source = (
        "import os\nfrom diffred_core import files\n"
        "os.utime(files.write_text('runs/past.csv', '1'), (0, 0))  # by a file system whose clock is slow"
    )
    template = write_notebook(tmp_path / "clock.ipynb", source)
    old = files.write_text(tmp_path / "old.csv", "of an earlier run, when the clock was fast")
    os.utime(old, (future, future))
    record = run_notebook(template, output=tmp_path / "clock.ipynb.done", products=[old, Path("runs/past.csv")])
    assert set(record.outputs or {}) == {"clock.ipynb.done", "past.csv"}


def test_a_record_that_cannot_be_written_brings_the_last_notebook_back(checkout: Path, tmp_path: Path) -> None:
    template = write_notebook(tmp_path / "a.ipynb", "print('first')")
    run_notebook(template, output=tmp_path / "out" / "a.ipynb", record=tmp_path / "records" / "a.json")
    whole = (tmp_path / "out" / "a.ipynb").read_bytes()
    write_notebook(template, "print('second')")
    (tmp_path / "file").touch()
    with pytest.raises(NotebookError, match="the result could not be written: File exists"):
        run_notebook(template, output=tmp_path / "out" / "a.ipynb", record=tmp_path / "file" / "a.json")
    assert (tmp_path / "out" / "a.ipynb").read_bytes() == whole
    assert read_record(tmp_path / "records" / "a.json").template == "a.ipynb"
