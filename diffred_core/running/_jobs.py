"""What Snakemake says of its jobs, read from the lines of its log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

RULE = re.compile(r"\s*(?:local)?rule (\w+):$")  # indented when the job is one of a group
FIELD = re.compile(r"\s+(\w+): (.*)$")
TOTAL = re.compile(r"total\s+(\d+)$")
FINISHED = re.compile(r"Finished jobid: (\d+)")
PERCENT = re.compile(r"(\d+)%")
TELLING = ("diffred: ", "WARNING", "ERROR", "Error:")


@dataclass
class Job:
    """One job: its rule and what Snakemake prints of it (jobid, wildcards, log, reason)."""

    rule: str
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The rule and what it is about: ``cell subset_probes elpv lite0``."""
        pairs = [pair.partition("=") for pair in self.fields.get("wildcards", "").split(", ") if pair]
        values = {name: value for name, _, value in pairs}
        return " ".join([self.rule, *(values[name] for name in ("analysis", "task", "model") if name in values)])


@dataclass(frozen=True)
class Event:
    """Something that happened to a job, or the number of jobs to come."""

    kind: Literal["total", "started", "finished", "failed"]
    job: Job | None = None
    total: int = 0


class JobReader:
    """Tells the event, if any, of each line of Snakemake's log, fed in order."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._starting: Job | None = None
        self._failing = False

    def feed(self, line: str) -> Event | None:
        """Return what `line` tells, or None."""
        line = line.rstrip()
        if match := TOTAL.match(line):
            return Event("total", total=int(match[1]))
        if match := FINISHED.match(line):
            return self._event("finished", match[1])
        if match := RULE.match(line):
            self._starting = Job(match[1])
        elif line.startswith("Error in rule "):
            self._failing = True
        elif match := FIELD.match(line):
            return self._field(*match.groups())
        return None

    def _event(self, kind: Literal["finished", "failed"], jobid: str) -> Event | None:
        return Event(kind, self._jobs[jobid]) if jobid in self._jobs else None

    def _field(self, name: str, value: str) -> Event | None:
        if self._failing and name == "jobid":
            self._failing = False
            return self._event("failed", value)
        job = self._starting
        if job is None:
            return None
        job.fields[name] = value
        if name != "resources":  # the last line about a job that starts
            return None
        self._starting = None
        self._jobs[job.fields["jobid"]] = job
        return Event("started", job)


def progress_of(log: Path) -> str:
    """Return the last percentage in the last 2,000 bytes of the `log` of a running job, as " 45 %", or nothing."""
    found = PERCENT.findall(_tail(log)) if log.is_file() else []
    return f" {found[-1]} %" if found else ""


def explain(log: Path, *, most: int = 3) -> str:
    """Return why the job with this `log` failed: the last lines that tell an error, else the last line."""
    text = _tail(log).replace("\r", "\n") if log.is_file() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in TELLING)] or lines[-1:]
    return "; ".join(line.removeprefix("diffred: ") for line in telling[-most:]) or "it left no message"


def _tail(log: Path, size: int = 2000) -> str:
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        return file.read().decode(errors="replace")
