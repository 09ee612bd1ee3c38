"""What a running grid shows: one bar over its jobs, or a line for each where there is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from diffred_core import files
from diffred_core.running._jobs import Event, Job, progress_of

QUIET_SECONDS = 30.0  # without a terminal, say at least this often what is running


class Display:
    """A bar over the jobs on a terminal, else a line for each; the running jobs with their percentages."""

    def __init__(self) -> None:
        self.bar = tqdm(unit="job", disable=not sys.stderr.isatty(), dynamic_ncols=True)
        self.started: dict[str, float] = {}
        self.running: dict[str, Job] = {}
        self.failed: list[Job] = []
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
                self.started[job.title] = time.perf_counter()
            case Event(kind="finished", job=job):
                self.done += 1
                self._end(job, "")
            case Event(kind="failed", job=job):
                self.failed.append(job)
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
