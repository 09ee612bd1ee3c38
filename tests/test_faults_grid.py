"""Faults of a whole grid, with Snakemake and kernels: nothing good is lost, the next run makes what is missing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_checkout import PROJECT, is_running, make_checkout, wait_for, write_notebook
from typer.testing import CliRunner

from diffred_core import files, staging
from diffred_core.cli.commands import app
from diffred_core.errors import InputError
from diffred_core.running import drop_broken_stamps, dry_run_of, run_grid
from diffred_core.running.records import failed_path

PLACE = ("t", "c", "hello")
HELLO = """
import os, time
from pathlib import Path
from diffred_core import files
if Path("slow").exists():
    Path("pid").write_text(str(os.getpid()))
    time.sleep(100)
for path in files.table_files(task, model, "hello"):
    files.write_text(path, f"{model} {times}")"""
TOTAL = """
from diffred_core import files
tables = sorted(files.runs_root().glob("tables/*/*/hello.csv"))
files.write_text(files.table_path("summary", "summary", "total"), "; ".join(path.read_text() for path in tables))"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a checkout whose grid has run, in a folder with an odd name, in no language, with no place of its own."""
    root = make_checkout(tmp_path_factory.mktemp("grid") / 'it\'s "a" {check} out & more')
    write_notebook(root / "notebooks/hello.ipynb", HELLO)
    write_notebook(root / "notebooks/total.ipynb", TOTAL, parameters="times: int = 1  # how often")
    (root / "file").touch()
    nowhere = {name: str(root / "file" / name) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DIFFRED_RUNS", raising=False)
        patch.setenv("PYTHONPATH", str(PROJECT))
        patch.chdir(root)
        with start(**nowhere, LANG="C", LC_ALL="C") as running:
            said, errors = running.communicate()
        assert running.returncode == 0, errors
        assert said.startswith("3 jobs done")
        shutil.copytree("runs", "good", symlinks=True)
        yield root


@pytest.fixture
def good(checkout: Path) -> dict[str, bytes]:
    """Return the results of the good run, which are there."""
    shutil.rmtree("runs")
    shutil.copytree("good", "runs", symlinks=True)
    for name in ("pid", "slow"):
        Path(name).unlink(missing_ok=True)
    return results()


def start(**environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "diffred_core.cli", "grid", "tiny", "--cores", "2", "--until", "summary"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=os.environ | environment, **pipes)


def results() -> dict[str, bytes]:
    kinds = ("tables", "notebooks", "stamps")
    paths = [path for kind in kinds for path in (files.runs_root() / kind).rglob("*") if path.is_file()]
    return {path.relative_to(files.runs_root()).as_posix(): path.read_bytes() for path in paths}


def status() -> dict[str, str]:
    """Return state and reason of every cell, by its model."""
    lines = CliRunner().invoke(app, ["status", "tiny"], catch_exceptions=False).stdout.splitlines()[:-1]
    states = [(line[:8].strip(), *line[8:].split("  ", 3)) for line in lines]
    return {model: f"{state} {' '.join(reason)}".strip() for state, _, _, model, *reason in states}


def jobs() -> list[str]:
    return [line.partition(": ")[0] for line in dry_run_of("tiny", until="summary").splitlines() if ": " in line]


def jobs_of(log: str) -> list[str]:
    return sorted(line.partition(" s  ")[2] for line in log.splitlines() if line.startswith("["))


def kernel() -> int:
    """Return the process of the kernel that sleeps, once it does."""
    return int(wait_for(lambda: Path("pid").is_file() and Path("pid").read_text()))


def test_results_say_what_the_notebooks_do(good: dict[str, bytes]) -> None:
    assert good["tables/t/c/hello.csv"] == b"c 3"
    assert good["tables/summary/summary/total.csv"] == b"a/b 3; c 3"
    assert set(status().values()) == {"good"}


def test_a_grid_that_is_killed_leaves_nothing_running_and_the_next_makes_what_is_missing(
    good: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    files.table_path(*PLACE).write_text("lost")
    Path("slow").touch()
    with start() as running:  # Snakemake is killed, alone
        pid = kernel()
        monkeypatch.setattr("diffred_core.running._snakemake.PATIENCE", 0.1)
        log = files.runs_root() / "logs" / "grid-tiny.log"
        begun = log.read_text()
        with pytest.raises(InputError, match=r"expected no other grid to be running in .*, but one is; wait until it"):
            run_grid("tiny", until="summary")
        assert log.read_text() == begun  # the other one's is not written over
        (snakemake,) = children_of(running.pid)
        os.kill(snakemake, signal.SIGKILL)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "diffred: Snakemake could not run the grid" in errors
    wait_for(lambda: not is_running(pid))
    others = {name: content for name, content in good.items() if "/t/c/" not in name}
    assert {name: content for name, content in results().items() if name in others} == others
    states = status()
    assert states.pop("c").startswith("failed")
    assert set(states.values()) == {"good"}

    Path("pid").unlink()
    with start() as running:  # what has started Snakemake is killed
        pid = kernel()
        (snakemake,) = children_of(running.pid)
        running.kill()
        running.communicate()
    wait_for(lambda: not is_running(pid) and not is_running(snakemake))
    assert {name: content for name, content in results().items() if name in others} == others

    Path("slow").unlink()
    assert jobs() == ["cell hello t c", "summary total summary summary"]
    files.table_path("t", "a/b", "hello").with_suffix(".provenance.json").unlink()
    (files.runs_root() / "logs" / "grid-tiny.finished").write_bytes(b"\xff\x00")
    with start() as running:
        _, log = running.communicate()
    assert jobs_of(log) == ["cell hello t a-b", "cell hello t c", "summary total summary summary"]
    assert results() == good
    assert not failed_path(files.record_path(*PLACE)).exists()
    assert set(status().values()) == {"good"}


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


DAMAGE = {
    "table": files.table_files,
    "notebook": lambda *place: [files.notebook_path(*place)],
    "record": lambda *place: [files.record_path(*place)],
    "stamp": lambda *place: [files.stamp_path(*place)],
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("content", [None, b"", b"[]", '{"é'.encode()[:-1], b"edited"], ids=str)
def test_whatever_is_lost_or_edited_is_one_failed_cell_and_made_again(
    kind: str, content: bytes | None, good: dict[str, bytes]
) -> None:
    assert drop_broken_stamps() == []
    for path in DAMAGE[kind](*PLACE):
        whole = path.read_bytes()
        path.unlink() if content is None else path.write_bytes(content)
        states, broken = status(), drop_broken_stamps()
        if kind == "stamp":
            assert broken == ([] if content is None else [path])
            assert states["c"] == "good"
        else:
            assert states.pop("c").startswith("missing" if (kind, content) == ("record", None) else "failed")
            assert broken == [files.stamp_path(*PLACE)]
        assert {model: state for model, state in states.items() if model != "c"} == {"a/b": "good", "summary": "good"}
        path.write_bytes(whole)
        shutil.copy("good/stamps/t/c/hello.json", files.stamp_path(*PLACE))
    assert drop_broken_stamps() == []


def test_files_of_another_time_are_not_made_again(good: dict[str, bytes]) -> None:
    for number, path in enumerate(sorted([*Path("runs").rglob("*"), *Path("notebooks").iterdir()])):
        seconds = (0, 4 * 10**9)[number % 2]  # the years 1970 and 2096
        os.utime(path, (seconds, seconds))
    assert jobs() == []
    assert set(status().values()) == {"good"}
    files.stamp_path(*PLACE).unlink()  # the control
    assert jobs() == ["cell hello t c", "summary total summary summary"]


def test_a_page_of_the_book_that_is_lost_or_edited_is_a_failed_cell(good: dict[str, bytes]) -> None:
    runs = {cell.place: cell for cell in (run.cell for run in staging.find_runs([]))}
    page = f"{runs[PLACE].page}.html"
    html = write_book({page: "c", "index.html": "front"})
    assert set(status().values()) == {"good"}
    for content in ("edited", None):
        write_book({page: "c", "index.html": "front"})
        (html / page).unlink() if content is None else (html / page).write_text(content)
        states = status()
        assert states.pop("c") == f"failed _build/html/{page} is not as it was written; run the grid again."
        assert set(states.values()) == {"good"}
    (html / "index.html").unlink()
    assert status()["book"] == "failed _build/html/index.html is not as it was written; run the grid again."
    shutil.rmtree(html)
    assert set(status().values()) == {"good"}  # no book was asked for
    files.write_sealed(files.stamp_path("book", "book", "build"), {"files": {}, "record": None})
    assert status()["book"].startswith("failed _build/html/.staged")


def write_book(pages: dict[str, str]) -> Path:
    html = Path("_build/html")
    staging._tree.write_tree({name: text.encode() for name, text in pages.items()}, html)
    return html
