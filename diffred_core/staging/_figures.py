"""What the book draws itself: a figure as a file, and the page of the benchmarks."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

from diffred_core.drawing import Figure, png
from diffred_core.drawing.speed import head_speed, milliseconds, ratio_words, speed, times_words
from diffred_core.staging._markdown import option, plain, table

_BENCHMARKS = """# Benchmarks

Each claim of speed is one script in `benchmarks/`. Ours and the peers run in turn, in one process, on the same data,
after one run to warm up. The median is quoted and the fastest and slowest run are shown. Only the ratios mean something
beyond the machine that is named.
"""
_RUN_THEM = "\nRun them again with `make bench`; the numbers land in `benchmarks/results/`.\n"
_COLUMNS = ("comparison", "side", "median (ms)", "fastest (ms)", "slowest (ms)", "runs", "per", "time over ours")
_NUMBERS = ("median (ms)", "fastest (ms)", "slowest (ms)", "runs", "time over ours")
_MEMORY = re.compile(r"peak resident (?P<gib>[\d.]+) GiB")


def heading_over(figure: Figure, summary: pd.DataFrame) -> str:
    """Return the finding of a figure as Markdown that stands above it; empty for one without."""
    return f"**{plain(figure.finding(summary))}**\n\n" if figure.finding else ""


def draw(figure: Figure, summary: pd.DataFrame) -> tuple[bytes, str]:
    """Return a figure as PNG and its alternative text, from its summary; equal summaries give equal bytes."""
    canvas = figure.plot(summary).figure
    picture = png(canvas)
    plt.close(canvas)
    return picture, figure.words(summary)


def benchmarks(folder: Path) -> tuple[str, dict[str, bytes]]:
    """Return the page of the benchmarks in `folder`, and its figures and tables by path, from ``results/*.csv``."""
    tables = {path.stem: pd.read_csv(path) for path in sorted((folder / "results").glob("*.csv"))}
    if not tables:
        return f"{_BENCHMARKS}\nNo benchmark has been run yet.\n{_RUN_THEM}", {}
    staged = {f"downloads/benchmarks/{name}.csv": rows.to_csv(index=False).encode() for name, rows in tables.items()}
    sections = []
    for name, results in tables.items():
        rows, picture = speed.summary(results), ""
        if "peer" in set(rows["role"]):  # else there is nothing to be compared by eye
            staged[f"_generated/benchmark-{name}.png"], alt = draw(speed, rows)
            picture = f"```{{image}} ../_generated/benchmark-{name}.png\n:alt: {option(alt)}\n:width: 580px\n```\n\n"
        sections.append(_section(name, rows, picture, script=folder / f"{name}.py"))
    return "\n".join([_BENCHMARKS, *sections, _RUN_THEM]), staged


def _section(name: str, rows: pd.DataFrame, picture: str, *, script: Path) -> str:
    title = script.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()[0] if script.is_file() else name
    facts = "\n".join(f"- {plain(fact)}" for fact in dict.fromkeys(rows["facts"].dropna()))
    sentences = "\n".join(f"- {plain(one)}" for one in sentences_of(rows))
    return (
        f"## {name.replace('_', ' ').capitalize()}\n\n{title}\n\n"
        f"**{plain(_finding(rows))}**\n\n{picture}{sentences}\n\n"
        f"{table(_COLUMNS, map(_cells, rows.to_dict('records')), right=_NUMBERS)}\n\n{facts}\n\n"
        f"{{download}}`Table as CSV <../downloads/benchmarks/{name}.csv>`\n"
    )


def sentences_of(rows: pd.DataFrame) -> list[str]:
    """Return a sentence a claim: what ours takes, how fast that is beside each peer, in how many runs, and where."""
    return [_sentence(str(claim), of_claim) for claim, of_claim in rows.groupby("claim", sort=False)]


def _sentence(claim: str, rows: pd.DataFrame) -> str:
    (own,) = rows[rows["role"] == "ours"].to_dict("records")
    peers = sorted(rows[rows["role"] == "peer"].to_dict("records"), key=lambda peer: peer["times_ours"])
    against = [
        f"{ratio_words(float(peer['times_ours']))} {peer['side']} ({milliseconds(peer['seconds'])} ms, {_runs(peer)})"
        for peer in peers
    ]
    taken = f"{milliseconds(own['seconds'])} ms per {own['unit']} ({_runs(own)})"
    return f"{claim[:1].upper()}{claim[1:]}: {'; '.join([taken, *against])}; on {own['machine']}."


def _runs(side: dict[Hashable, Any]) -> str:
    return f"{side['runs']} run{'s' * (side['runs'] > 1)}"


def _finding(rows: pd.DataFrame) -> str:
    """Return the heading of a benchmark: of memory where it measures that, else of speed."""
    memory = [size["gib"] for fact in rows["facts"].dropna().unique() if (size := _MEMORY.search(fact))]
    return f"At most {' or '.join(memory)} GiB of memory." if memory else head_speed(rows)


def _cells(row: dict[Hashable, Any]) -> list[str]:
    times = [milliseconds(row[name]) for name in ("seconds", "low", "high")]
    return [row["claim"], row["side"], *times, str(row["runs"]), row["unit"], times_words(float(row["times_ours"]))]
