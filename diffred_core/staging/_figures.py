"""What the book draws itself: the finding of the front page, and the page of the benchmarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from diffred_core import files, results
from diffred_core.chapters.random_subsets import across, claims, names
from diffred_core.chapters.random_subsets.reading import shares_in_words
from diffred_core.drawing import Figure, png
from diffred_core.drawing.speed import speed
from diffred_core.results import where
from diffred_core.results.claims import percent
from diffred_core.results.readable import cell_name
from diffred_core.results.rows import KEYS
from diffred_core.staging._markdown import option, plain, table
from diffred_core.staging._runs import CellRun

FINDING = "subset_probes"  # the analysis that has it
_NO_FINDING = (
    "*The grid has not been run for this copy of the book, so there is no finding to show. The "
    "[grid status](back/grid-status.md) lists what is missing.*\n"
)
_EXPLORE = (  # HTML, since what stands behind # is no place of the page
    '<a href="explorer.html">Explore every curve</a>, or <a href="explorer.html#view=compare">compare two</a>: any '
    "model on any task against another."
)
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


def finding(runs: Sequence[CellRun]) -> dict[str, bytes]:
    """Return the fragment of the front page, and its figure if there is something to draw, from `runs` of the grid."""
    shown = [run for run in runs if run.cell.analysis == FINDING and run.has_page and not run.cell.is_summary]
    if not shown:
        return {"_generated/finding.md": _NO_FINDING.encode()}
    tables = [results.read(files.table_path(*run.cell.place)) for run in shown]
    probes = pd.concat(tables, ignore_index=True)
    kept = across.kept()
    pairs = kept.summary(probes)
    picture, alt = draw(kept, pairs)
    figure = f"```{{figure}} /_generated/finding.png\n:alt: {option(alt)}\n:width: 100%\n\n{_caption(pairs)}\n```\n"
    text = "\n\n".join(filter(None, [answer(probes), sentence(pairs), _EXPLORE, figure]))
    return {"_generated/finding.md": text.encode(), "_generated/finding.png": picture}


def answer(probes: pd.DataFrame) -> str:
    """Return how many dimensions keep the accuracy, over models and tasks, and the verdicts on the published claim.

    Empty where the tables were made without diffused redundancy.
    """
    if where(probes, metric=names.FIRST).empty:
        return ""
    needed = across.needed_fractions(probes, deltas=across.NEEDED_DELTAS).groupby("delta")["fraction"]
    ranges = [
        f"{percent(delta)}{' of the accuracy' * first} needs {percent(shares.min())} to {percent(shares.max())}"
        f"{' of the dimensions' * first}"
        for first, (delta, shares) in zip((True, False, False), needed, strict=True)
    ]
    judged = Counter(claims.accuracy_is_kept(cell).verdict for _, cell in probes.groupby(KEYS))
    counts = f"holds in {judged['holds']}, is undecided in {judged['undecided']} and fails in {judged['fails']}"
    return (
        f"**It depends on model and task: {', '.join(ranges)}, drawn at random.** The published claim, that a random "
        f"{percent(names.FRACTION)} stays within {100 * names.MARGIN:g} points of the full layer, {counts} of "
        f"{judged.total()} pairs of model and task."
    )


def sentence(pairs: pd.DataFrame) -> str:
    """Return the finding in words, from the rows of `across.kept_accuracy`."""
    worst = pairs.loc[pairs["gap"].idxmax()]
    share, kept = shares_in_words(pairs["fraction"]), 100 * pairs["kept"]
    spread = (
        f" (mean over {len(pairs)} pairs of model and task; lowest {kept.min():.1f} %, highest {kept.max():.1f} %)"
        if len(pairs) > 1
        else ""
    )
    return (
        f"**A random {share} of the dimensions keeps {kept.mean():.1f} % of the full layer's test accuracy**{spread}. "
        f"The {'largest ' if spread else ''}loss, {plain(cell_name(worst['model'], worst['task']))}, is "
        f"{100 * worst['gap']:.1f} points ({100 * worst['level']:g} % interval {100 * worst['gap_low']:.1f} to "
        f"{100 * worst['gap_high']:.1f}, "
        "paired bootstrap over subsets and test images)."
    )


def _caption(pairs: pd.DataFrame) -> str:
    sizes = sorted({(int(row.n_selected), int(row.n_features)) for row in pairs.itertuples()})
    kept = ", ".join(f"{k} of {d:,}" for k, d in sizes)
    probe = pairs["probe"].iloc[0]
    return (
        f"Test accuracy of a {probe} probe on {kept} dimensions, chosen at random, and on all of them. "
        f"Bars: {100 * pairs['level'].iloc[0]:g} % interval for the mean over {int(pairs['n'].min())} random subsets."
    )


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
