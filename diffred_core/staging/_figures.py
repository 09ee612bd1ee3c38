"""What the book draws itself: a figure as a file, and the page of the benchmarks."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from diffred_core.drawing import Figure, png
from diffred_core.drawing.speed import speed
from diffred_core.staging._markdown import option, table

_BENCHMARKS = """# Benchmarks

Each claim of speed is one script in `benchmarks/`. Ours and the peers run in turn, in one process, on the same data,
after one run to warm up. The median is quoted and the fastest and slowest run are shown. Only the ratios mean something
beyond the machine that is named.
"""
_RUN_THEM = "\nRun them again with `make bench`; the numbers land in `benchmarks/results/`.\n"
_COLUMNS = ("claim", "side", "seconds", "low", "high", "runs", "unit", "times_ours")


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
    for name, rows in tables.items():
        staged[f"_generated/benchmark-{name}.png"], alt = draw(speed, rows)
        sections.append(_section(name, rows, alt, script=folder / f"{name}.py"))
    return "\n".join([_BENCHMARKS, *sections, _RUN_THEM]), staged


def _section(name: str, rows: pd.DataFrame, alt: str, *, script: Path) -> str:
    title = script.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()[0] if script.is_file() else name
    cells = (
        [f"{v:.4g}" if isinstance(v, float) else str(v) for v in row[list(_COLUMNS)]] for _, row in rows.iterrows()
    )
    facts = "\n".join(f"- {fact}" for fact in dict.fromkeys(rows["facts"].dropna()))
    return (
        f"## {name.replace('_', ' ').capitalize()}\n\n{title}\n\n"
        f"Machine: {'; '.join(dict.fromkeys(rows['machine']))}.\n\n"
        f"```{{image}} ../_generated/benchmark-{name}.png\n:alt: {option(alt)}\n```\n\n"
        f"{table([column.replace('_', ' ') for column in _COLUMNS], cells)}\n\n{facts}\n\n"
        f"{{download}}`Table as CSV <../downloads/benchmarks/{name}.csv>`\n"
    )
