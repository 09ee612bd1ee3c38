"""Commands run in forks of one process: what they see, what ends them, and what they do without it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_checkout import is_running, wait_for

from diffred_core.running import warm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a command runs in its own process")
WITH_LIBRARIES = "import sys; print('torch' in sys.modules)"


@pytest.fixture(scope="module")
def address() -> Iterator[dict[str, str]]:
    """Return the environment of commands that find a warm process."""
    with pytest.MonkeyPatch.context() as patch, warm.Warm() as process:
        patch.setattr(warm, "LIBRARIES", ("torch", "no_such_library"))
        process.start()
        wait_for(Path(process.variables[warm.ADDRESS]).exists)
        yield {**os.environ, **process.variables, warm.THREADS: "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder from which modules run."""
    return tmp_path


def command(folder: Path, code: str, *arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    (folder / "job.py").write_text(code)
    package = str(Path(warm.__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-m", "diffred_core.running.warm", "job", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": package},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_job_finds_the_libraries_imported(address: dict[str, str], folder: Path) -> None:
    job = command(folder, WITH_LIBRARIES, environment=address)
    assert job.communicate() == ("True\n", "")


@pytest.mark.parametrize("changes", [{warm.ADDRESS: ""}, {warm.ADDRESS: "/nowhere"}, {warm.THREADS: "2"}])
def test_a_command_without_a_warm_process_that_fits_runs_by_itself(
    address: dict[str, str], folder: Path, changes: dict[str, str]
) -> None:
    job = command(folder, WITH_LIBRARIES, environment=address | changes)
    assert job.communicate() == ("False\n", "")


def test_folder_environment_arguments_and_streams_are_those_of_the_command(
    address: dict[str, str], folder: Path
) -> None:
    code = (
        "import os, sys; print(os.getcwd(), os.environ['COLOUR'], sys.argv[1:], input()); print('err', file=sys.stderr)"
    )
    job = command(folder, code, "a b", "c", environment=address | {"COLOUR": "grün"})
    assert job.communicate("said\n") == (f"{folder} grün ['a b', 'c'] said\n", "err\n")


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(3)", 3), ("pass", 0), ("1 / 0", 1)])
def test_the_exit_code_is_that_of_the_job(address: dict[str, str], folder: Path, code: str, status: int) -> None:
    job = command(folder, code, environment=address)
    _, errors = job.communicate()
    assert job.returncode == status
    assert ("ZeroDivisionError" in errors) == (status == 1)


def test_a_job_killed_by_a_signal_has_the_code_of_a_shell(address: dict[str, str], folder: Path) -> None:
    job = command(folder, "import os; os.kill(os.getpid(), 9)", environment=address)
    job.communicate()
    assert job.returncode == 128 + signal.SIGKILL


def test_a_job_runs_the_code_that_is_on_disk_when_it_starts(address: dict[str, str], folder: Path) -> None:
    for version in ("one", "another"):
        job = command(folder, f"print({version!r})", environment=address)
        assert job.communicate()[0] == f"{version}\n"
        os.utime(folder / "job.py", (1, 1))  # a time as good as equal does not bring back the earlier code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_job(address: dict[str, str], folder: Path, number: signal.Signals) -> None:
    code = (
        "import signal, sys, time\n"
        "def leave(number, frame): print('left', number); sys.exit(7)\n"
        "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, leave)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    job = command(folder, code, environment=address)
    assert job.stdout is not None
    assert job.stdout.readline() == "ready\n"
    job.send_signal(number)
    assert job.communicate()[0] == f"left {number.value}\n"
    assert job.returncode == 7


def test_a_job_ends_when_its_command_is_killed(address: dict[str, str], folder: Path) -> None:
    job = command(folder, "import os, time; print(os.getpid(), flush=True); time.sleep(60)", environment=address)
    assert job.stdout is not None
    pid = int(job.stdout.readline())
    assert pid != job.pid
    job.kill()
    job.communicate()
    wait_for(lambda: not is_running(pid))


def test_a_warm_process_and_its_jobs_end_with_who_started_it(folder: Path) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "from diffred_core.running import warm\n"
        "warm.LIBRARIES = ()\n"
        "with warm.Warm() as process:\n"
        "    process.start()\n"
        "    print(process.variables[warm.ADDRESS], flush=True)\n"
        "    time.sleep(60)"
    )
    (folder / "owner.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(warm.__file__).parents[2]), warm.THREADS: "1"}
    owner = subprocess.Popen(
        [sys.executable, "owner.py"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    where = {warm.ADDRESS: owner.stdout.readline().strip()}
    wait_for(Path(where[warm.ADDRESS]).exists)
    job = command(
        folder, "import os, time; print(os.getpid(), flush=True); time.sleep(60)", environment=environment | where
    )
    assert job.stdout is not None
    pid = int(job.stdout.readline())
    owner.kill()
    owner.communicate()
    wait_for(lambda: not is_running(pid))
    job.communicate()
    assert job.returncode
