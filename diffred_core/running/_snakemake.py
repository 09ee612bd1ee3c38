"""Run a grid with Snakemake: one bar over its jobs, its whole log in a file, one line for each failure."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from diffred_core import files
from diffred_core.errors import InputError, near_names
from diffred_core.running._digests import whole_digest
from diffred_core.running._display import Event, Job, explain, log_of, read_events, telling, watch
from diffred_core.running._gpu_slots import visible_gpus
from diffred_core.running._grid_definition import read_grid
from diffred_core.running._grid_parts import FEATURES, Grid
from diffred_core.running._interrupts import sigterm_as_exit
from diffred_core.running._names import claim_names
from diffred_core.running._stamps import drop_broken_stamps
from diffred_core.running.warm import Warm

MANY_JOBS = 6  # their imports, some five seconds a job, take longer than those of the process that saves them
PATIENCE = 5.0  # seconds to wait for another grid to end
# Compute nodes have no network: what `diffred prepare` has fetched is found in the cache, the rest refused at once.
CLUSTER = {"HF_HUB_OFFLINE": "1"}


class GridFailure(Exception):
    """Some jobs of the grid failed; the message has one line for each.

    Attributes
    ----------
    rules : frozenset of str
        Which kinds of jobs failed: features, cell, summary, stage, book; empty if Snakemake could not start.
    """

    def __init__(self, message: str, *, rules: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.rules = frozenset(rules)


def run_grid(name: str, *, cores: int | None = None, profile: str = "local", until: str = "book") -> str:
    """Run what is missing or stale of the grid `name`, and return one sentence about what was done.

    Parameters
    ----------
    name : str
        A file in ``workflow/grids/``.
    cores : int, optional
        Jobs at once; by default what the profile says.
    profile : str, default="local"
        A folder in ``workflow/profiles/``.
    until : {"features", "cell", "summary", "stage", "book"}
        The last kind of job to run.

    Raises
    ------
    InputError
        If the grid or the profile is unknown or wrong.
    GridFailure
        If a job failed; the others have run.
    """
    started = time.perf_counter()
    grid = read_grid(name)  # says what is wrong with it in one sentence, before anything starts
    for entry in grid.entries():
        claim_names(entry.parameters)
    local = _is_local(profile)
    options = ["--until", until, *(_limits(grid, cores) if local else [])]
    command = _command(name, profile, ["--nolock", *options])
    drop_broken_stamps()
    log, finished = (files.runs_root() / "logs" / f"grid-{name}.{ending}" for ending in ("log", "finished"))
    if finished.is_file() and finished.read_bytes() == whole_digest(grid, until=until).encode():
        # Snakemake would say the same, and take seconds to be imported
        return f"nothing to do, {name} is up to date ({time.perf_counter() - started:.1f} s)"
    _wait_for_others()
    done = _jobs_done(command, log, local=local)
    files.write_text(finished, whole_digest(grid, until=until))
    seconds = f"{time.perf_counter() - started:.0f} s"
    return f"{done} jobs done in {seconds}" if done else f"nothing to do, {name} is up to date ({seconds})"


def dry_run_of(name: str, *, profile: str = "local", until: str = "book") -> str:
    """Return one line for every job that `run_grid` would run, with the reason."""
    read_grid(name)
    drop_broken_stamps()
    lines = _output(_command(name, profile, ["--until", until, "--dry-run"])).splitlines()
    jobs = [event.job for event in read_events(lines) if isinstance(event, Event)]
    return (
        "\n".join(f"{job.title}: {job.reason.partition('; ')[0]}" for job in jobs)
        or f"nothing to do for the grid {name}"
    )


def _jobs_done(command: list[str], log: Path, *, local: bool) -> int:
    """Run Snakemake to its end, show how it comes on, and return how many jobs are done; raise `GridFailure`."""
    with sigterm_as_exit(), Warm(here=local) as warm:
        variables = warm.variables if local else {key: CLUSTER[key] for key in CLUSTER if key not in os.environ}
        with _Snakemake(command, log, variables) as snakemake:
            display = watch(_warming(snakemake.events(), warm))
    if failed := [event for event in display.failed.values() if not _is_made(event.job)]:
        raise GridFailure(_failures(failed, log), rules=(event.job.rule for event in failed))
    if display.failed:
        raise GridFailure(f"jobs ended badly, but all that they make is there; run the grid again (whole log: {log})")
    if snakemake.process.returncode:
        raise GridFailure(f"Snakemake could not run the grid: {explain(log)} (whole log: {log})")
    return display.done


def _is_local(profile: str) -> bool:
    """Return whether the jobs of a profile run on this machine."""
    import yaml

    place = files.project_root() / "workflow" / "profiles" / profile / "config.yaml"
    if not place.is_file():  # `_command` says it
        return True
    content = yaml.safe_load(place.read_text(encoding="utf-8")) or {}
    return bool(content.get("executor", "local") == "local")


def _limits(grid: Grid, cores: int | None) -> list[str]:
    """Return how much of this machine the jobs may take together: `cores`, and a GPU each."""
    on_gpus = any("cuda" in str({**e.parameters, **e.extraction}.get("device")) for e in grid.entries())
    gpus = ["--resources", f"gpu={max(1, len(visible_gpus()))}"] if on_gpus else []
    return [*(["--cores", str(cores)] if cores else []), *gpus]


def _is_made(job: Job) -> bool:
    """Return whether the stamp of a job is there all the same: a group fails as a whole, and keeps what was made."""
    if "analysis" not in job.wildcards:  # the book
        return False
    task, model, analysis = (job.wildcards[name] for name in ("task", "model", "analysis"))
    name = f"{analysis}.{FEATURES}" if job.rule == FEATURES else analysis
    return files.stamp_path(task, model, name).is_file()


def _lock() -> Path:
    return files.runs_root() / "logs" / "grid.lock"


def _wait_for_others() -> None:
    """Refuse to go on while another grid runs; one that was killed is given the time to end its jobs.

    The lock is the system's, which releases it when its owner dies. Snakemake's own would stay behind.
    """
    try:
        _lock().parent.mkdir(parents=True, exist_ok=True)
        with FileLock(_lock(), timeout=PATIENCE):
            pass
    except Timeout as error:
        raise InputError(
            f"expected no other grid to be running in {files.runs_root()}, but one is; wait until it ends, or set "
            "DIFFRED_RUNS to another folder"
        ) from error


def _warming(events: Iterator[Event | int | None], warm: Warm) -> Iterator[Event | int | None]:
    """Yield the `events`, and start the warm process once they tell that there are jobs enough to pay for it."""
    for event in events:
        if isinstance(event, int) and event >= MANY_JOBS:
            warm.start()
        yield event


class _Snakemake:
    """The process: what it prints goes to a log file, its events to whoever watches; it ends with the block."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self._command, self._log, self._environment = command, log, {**os.environ, **environment}
        self._waiting: queue.Queue[Event | int | None] = queue.Queue()

    def __enter__(self) -> _Snakemake:
        # A session of its own, so that an interruption can be passed to Snakemake and its jobs together: told alone,
        # Snakemake waits for the jobs to end by themselves.
        with open(self._log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is not None or (self.process.poll() or 0) < 0:  # killed, it has left its jobs behind
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait()
        self._reader.join()

    def events(self) -> Iterator[Event | int | None]:
        """Yield the events as they come, and None in every second without one."""
        while True:
            try:
                event = self._waiting.get(timeout=1)
            except queue.Empty:
                yield None
                continue
            if event is None:
                self.process.wait()
                return
            yield event

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for event in read_events(lines):
                self._waiting.put(event)
        self._waiting.put(None)


def _command(name: str, profile: str, options: Sequence[str]) -> list[str]:
    workflow, runs = files.project_root() / "workflow", files.runs_root()
    known = sorted(path.name for path in (workflow / "profiles").iterdir())
    if profile not in known:
        raise InputError(f"there is no profile {profile!r}{near_names(profile, known)} (known: {', '.join(known)})")
    runs.mkdir(parents=True, exist_ok=True)
    places = ["--snakefile", workflow / "Snakefile", "--profile", workflow / "profiles" / profile, "--directory", runs]
    process = [sys.executable, "-m", "diffred_core.running._events", str(_lock())]
    return [*process, *map(str, places), "--config", f"grid={name}", *options]


def _output(command: list[str]) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise GridFailure(f"Snakemake said: {telling(finished.stderr or finished.stdout)}")
    return finished.stdout


def _failures(failed: Sequence[Event], log: Path) -> str:
    lines = [f"  {event.job.title}: {explain(log_of(event.job), reason=event.reason)}" for event in failed]
    head = f"{len(failed)} jobs failed; what was good before is untouched (whole log: {log})"
    return "\n".join([head, *lines])
