"""What a running grid shows: one bar over its jobs, or a line for each where there is no terminal."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from diffred_core import files

QUIET_SECONDS = 30.0  # without a terminal, say at least this often what is running


class Display:
    """A bar over the jobs on a terminal, else a line for each; the running jobs with their percentages."""

    def __init__(self) -> None:
        self.bar = tqdm(unit="job", disable=not sys.stderr.isatty(), dynamic_ncols=True)
        self.started: dict[str, float] = {}
        self.running: dict[str, Job] = {}
        self.failed: dict[str, Event] = {}  # one that is tried again and succeeds has not failed
        self.done = self.total = 0
        self._spoke = time.perf_counter()

    def show(self, event: Event | int | None) -> None:
        """Take in one event, the number of jobs to come, or the second that has passed."""
        match event:
            case None:
                self._refresh()
            case int():
                self.total = self.bar.total = event
            case Event(kind="started", job=job):
                self.running[job.title] = job
                self.failed.pop(job.title, None)
                self.started[job.title] = time.perf_counter()
            case Event(kind="finished", job=job):
                self.done += 1
                self._end(job, "")
            case Event(kind="failed", job=job) if job.title in self.running:  # of a group it is told twice
                self.failed[job.title] = event
                self._end(job, "FAILED ")

    def _end(self, job: Job, word: str) -> None:
        self.running.pop(job.title, None)
        seconds = time.perf_counter() - self.started[job.title]
        self._say(f"[{self.done + len(self.failed)}/{self.total}] {seconds:5.1f} s  {word}{job.title}")
        self.bar.update()
        self._refresh()

    def _refresh(self) -> None:
        now = ", ".join(job.title + progress_of(log_of(job)) for job in self.running.values())
        self.bar.set_description(now)
        if now and self.bar.disable and time.perf_counter() - self._spoke > QUIET_SECONDS:
            self._say(f"running: {now}")

    def _say(self, text: str) -> None:
        self._spoke = time.perf_counter()
        self.bar.write(text, file=sys.stderr)


def watch(events: Iterator[Event | int | None]) -> Display:
    """Show the `events` until they end, and return what was seen."""
    display = Display()
    try:
        for event in events:
            display.show(event)
    finally:
        display.bar.close()
    return display


def log_of(job: Job) -> Path:
    """Return the log of a job, which Snakemake names from ``runs/`` on."""
    return files.runs_root() / job.log


PERCENT = re.compile(r"(\d+)%")
BY_ITSELF = "'FAILED'"  # SLURM's state of a job that has ended with an error of its own
TELLING = ("diffred: ", "WARNING", "ERROR", "Error:")


@dataclass(frozen=True)
class Job:
    """One job: its rule, its place, its log from ``runs/`` on, and why Snakemake runs it."""

    rule: str
    wildcards: dict[str, str]
    log: str
    reason: str

    @property
    def title(self) -> str:
        """The rule and what it is about: ``cell subset_probes elpv lite0``."""
        names = [self.wildcards[name] for name in ("analysis", "task", "model") if name in self.wildcards]
        return " ".join([self.rule, *names])


@dataclass(frozen=True)
class Event:
    """Something that happened to a job."""

    kind: Literal["started", "finished", "failed"]
    job: Job
    reason: str = ""  # of a failure: what the cluster says of it


def read_events(lines: Iterable[str]) -> Iterator[Event | int]:
    """Yield what the `lines` of the process say: the number of jobs, then what becomes of each."""
    jobs: dict[int, Job] = {}
    for fields in map(json.loads, lines):
        if fields["kind"] == "total":
            yield fields["total"]
            continue
        if fields["kind"] == "started":
            jobs[fields["jobid"]] = Job(**fields["job"])
        if fields["jobid"] in jobs:
            yield Event(fields["kind"], jobs[fields["jobid"]], fields.get("reason", ""))


def progress_of(log: Path) -> str:
    """Return the last percentage in the last 2,000 bytes of the `log` of a running job, as " 45 %", or nothing."""
    percentages = PERCENT.findall(_tail(log)) if log.is_file() else []
    return f" {percentages[-1]} %" if percentages else ""


def explain(log: Path, *, reason: str = "") -> str:
    """Return why the job with this `log` failed: by its words, or the `reason` of a cluster that ended it.

    A job that a cluster has ended leaves the words of a kernel that died, or none.
    """
    text = _tail(log).replace("\r", "\n") if log.is_file() else ""
    by_itself = BY_ITSELF in reason and any(word in text for word in TELLING)
    return reason if reason and not by_itself else telling(text)


def telling(text: str, *, most: int = 3) -> str:
    """Return the last lines of `text` that tell an error, else its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if any(word in line for word in TELLING)] or lines[-1:]
    return "; ".join(line.removeprefix("diffred: ") for line in errors[-most:]) or "it left no message"


def _tail(log: Path, size: int = 2000) -> str:
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        return file.read().decode(errors="replace")
