"""The jobs of a running grid, and what their logs say of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PERCENT = re.compile(r"(\d+)%")
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


def read_events(lines: Iterable[str]) -> Iterator[Event | int]:
    """Yield what the `lines` of the process say: the number of jobs, then what becomes of each."""
    jobs: dict[int, Job] = {}
    for said in map(json.loads, lines):
        if said["kind"] == "total":
            yield said["total"]
            continue
        if said["kind"] == "started":
            jobs[said["jobid"]] = Job(**said["job"])
        if said["jobid"] in jobs:
            yield Event(said["kind"], jobs[said["jobid"]])


def progress_of(log: Path) -> str:
    """Return the last percentage in the last 2,000 bytes of the `log` of a running job, as " 45 %", or nothing."""
    percentages = PERCENT.findall(_tail(log)) if log.is_file() else []
    return f" {percentages[-1]} %" if percentages else ""


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
