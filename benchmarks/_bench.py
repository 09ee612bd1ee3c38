"""What every benchmark shares: the machine by name, two sides timed in turn, one CSV a script.

A speed is only ever quoted as a ratio to a named peer on the same data in the same process; the two sides run in turn
(A B A B ...), so that a drift of the machine's speed reaches both.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

RESULTS = Path(__file__).parent / "results"


@dataclass
class Side:
    """One contender: its name, what it runs, and over how many units of work the seconds are spread."""

    name: str
    run: Callable[[], object]
    role: str = "peer"  # or "ours", "floor": the one step that no method can do without
    units: int = 1
    repeats: int | None = None
    prepare: Callable[[], object] = lambda: None  # before every run, not timed
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median seconds a unit."""
        return statistics.median(self.seconds) / self.units


def machine() -> str:
    """Name the processor, the cores this process may use, the accelerator if any, and torch's version."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = f", {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else ""
    return f"{name}, {cores} cores{gpu}, torch {torch.__version__}"


def measure(sides: Iterable[Side], *, repeats: int, clock: Callable[[], float] = time.perf_counter) -> list[Side]:
    """Run every side once to warm up, then `repeats` times in turn; a side may ask for fewer repeats.

    With ``time.process_time`` as the clock, other work on the machine does not count, and threads count one by one.
    """
    sides = list(sides)
    rounds = [
        side for i in range(-1, repeats) for side in sides if i < (repeats if side.repeats is None else side.repeats)
    ]
    for step, side in enumerate(tqdm(rounds, desc="timing", unit="run", leave=False)):
        warm_up = step < len(sides) and side.repeats != 1
        side.prepare()
        start = clock()
        side.run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if not warm_up:
            side.seconds.append(clock() - start)
    return sides


def rows_of(claim: str, sides: list[Side], *, unit: str, **facts: object) -> list[dict[str, object]]:
    """Return one row a side; `times_ours` is the side's median over that of our side."""
    (ours,) = (side for side in sides if side.role == "ours")
    return [
        {
            "claim": claim,
            "side": side.name,
            "role": side.role,
            "seconds": f"{side.median:.4g}",
            "low": f"{min(side.seconds) / side.units:.4g}",
            "high": f"{max(side.seconds) / side.units:.4g}",
            "runs": len(side.seconds),
            "unit": unit,
            "times_ours": f"{side.median / ours.median:.3g}",
            "facts": "; ".join(f"{k.replace('_', ' ')} {v}" for k, v in facts.items()),
            "machine": machine(),
        }
        for side in sides
    ]


def report(rows: list[dict[str, object]], csv_path: Path) -> None:
    """Print the rows as a table and write them to `csv_path`."""
    csv_path.parent.mkdir(parents=True, exist_ok=True)
    with open(csv_path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{rows[0]['machine']}")
    for row in rows:
        print(
            f"{row['claim']} | {row['side']}: {row['seconds']} s a {row['unit']} ({row['low']} to {row['high']}, "
            f"{row['runs']} runs), {row['times_ours']} x ours"
        )
    for facts in dict.fromkeys(row["facts"] for row in rows):
        print(f"  {facts}")


def arguments(description: str, name: str) -> argparse.Namespace:
    """Read ``--csv``, ``--repeats`` and ``--device``; the CSV goes to ``benchmarks/results/<name>.csv`` by default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--csv", type=Path, default=RESULTS / f"{name}.csv", help="where the rows go")
    parser.add_argument("--repeats", type=int, default=5, help="counted runs of each side")
    parser.add_argument("--device", default="cpu", help="device of our side where both sides allow a choice")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of both sides")
    parsed = parser.parse_args()
    torch.set_num_threads(parsed.threads)
    return parsed
