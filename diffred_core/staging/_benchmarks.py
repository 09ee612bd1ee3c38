"""The page of the benchmarks, from the committed ``benchmarks/results/*.csv``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from diffred_core.staging._pictures import draw

INTRODUCTION = """# Benchmarks

Each claim of speed is one script in `benchmarks/`. Ours and the peers run in turn, in one process, on the same data,
after one run to warm up. The median is quoted and the fastest and slowest run are shown. Only the ratios mean something
beyond the machine that is named.
"""
RUN_IT = "\nRun them again with `make bench`; the numbers land in `benchmarks/results/`.\n"


def benchmark_page(root: Path) -> dict[str, bytes]:
    """Return the page, its figures and its tables by path; without results the page says so.

    Parameters
    ----------
    root : Path
        The checkout.
    """
    results = {path.stem: pd.read_csv(path) for path in sorted((root / "benchmarks" / "results").glob("*.csv"))}
    if not results:
        return {"back/benchmarks.md": f"{INTRODUCTION}\nNo benchmark has been run yet.\n{RUN_IT}".encode()}
    from diffred_core.drawing.speed import speed  # heavy, and staging without results does not need it

    files = {f"downloads/benchmarks/{name}.csv": table.to_csv(index=False).encode() for name, table in results.items()}
    sections = []
    for name, table in results.items():
        files[f"_generated/benchmark-{name}.png"], alt = draw(speed, table)
        sections.append(_section(name, table, alt, script=root / "benchmarks" / f"{name}.py"))
    return files | {"back/benchmarks.md": "\n".join([INTRODUCTION, *sections, RUN_IT]).encode()}


def _section(name: str, table: pd.DataFrame, alt: str, *, script: Path) -> str:
    title = script.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()[0] if script.is_file() else name
    columns = ["claim", "side", "seconds", "low", "high", "runs", "unit", "times_ours"]
    head = "| " + " | ".join(c.replace("_", " ") for c in columns) + " |\n|" + "---|" * len(columns)
    body = "\n".join("| " + " | ".join(_text(row[c]) for c in columns) + " |" for _, row in table.iterrows())
    facts = "\n".join(f"- {fact}" for fact in dict.fromkeys(table["facts"].dropna()))
    alt = alt.replace('"', "'")
    return (
        f"## {name.replace('_', ' ').capitalize()}\n\n{title}\n\n"
        f"Machine: {'; '.join(dict.fromkeys(table['machine']))}.\n\n"
        f"```{{image}} ../_generated/benchmark-{name}.png\n:alt: {alt}\n```\n\n{head}\n{body}\n\n{facts}\n\n"
        f"{{download}}`Table as CSV <../downloads/benchmarks/{name}.csv>`\n"
    )


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", r"\|")
