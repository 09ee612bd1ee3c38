"""The finding of the front page: one sentence and one figure, both from the tables of the subset probes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from diffred_core import files, results
from diffred_core.chapters.random_subsets import across
from diffred_core.staging._pictures import draw
from diffred_core.staging._runs import Run

ANALYSIS = "subset_probes"
_NONE = (
    "*The grid has not been run for this copy of the book, so there is no finding to show. The "
    "[grid status](back/grid-status.md) lists what is missing.*\n"
)


def finding(runs: Sequence[Run]) -> dict[str, bytes]:
    """Return the fragment of the front page, and its figure if there is something to draw.

    Parameters
    ----------
    runs
        Runs of the grid, not of what else is on disk; those of the subset probes that have a page are read.
    """
    shown = [run for run in runs if run.cell.analysis == ANALYSIS and run.has_page and not run.cell.is_summary]
    if not shown:
        return {"_generated/finding.md": _NONE.encode()}
    tables = [results.read(files.table_path(*run.cell.place)) for run in shown]
    kept = across.kept()
    pairs = kept.summary(pd.concat(tables, ignore_index=True))
    picture, alt = draw(kept, pairs)
    figure = f"```{{figure}} /_generated/finding.png\n:alt: {alt}\n:width: 100%\n\n{_caption(pairs)}\n```\n"
    return {"_generated/finding.md": f"{sentence(pairs)}\n\n{figure}".encode(), "_generated/finding.png": picture}


def sentence(pairs: pd.DataFrame) -> str:
    """Return the finding in words, from the rows of `across.kept_accuracy`."""
    worst = pairs.loc[pairs["gap"].idxmax()]
    share, kept = f"{100 * pairs['fraction'].iloc[0]:g} %", 100 * pairs["kept"]
    spread = (
        f" (mean over {len(pairs)} pairs of model and task; lowest {kept.min():.1f} %, highest {kept.max():.1f} %)"
        if len(pairs) > 1
        else ""
    )
    return (
        f"**A random {share} of the dimensions keeps {kept.mean():.1f} % of the full layer's test accuracy**{spread}. "
        f"The {'largest ' if spread else ''}loss, {worst['model']} on {worst['task']}, is {100 * worst['gap']:.1f} "
        f"points ({100 * worst['level']:g} % interval {100 * worst['gap_low']:.1f} to {100 * worst['gap_high']:.1f}, "
        "paired bootstrap over subsets and test images)."
    )


def _caption(pairs: pd.DataFrame) -> str:
    sizes = sorted({(int(row.n_selected), int(row.n_features)) for row in pairs.itertuples()})
    kept = ", ".join(f"{k} of {d:,}" for k, d in sizes)
    return (
        f"Test accuracy of a ridge probe on {kept} dimensions, chosen at random, and on all of them. Bars: "
        f"{100 * pairs['level'].iloc[0]:g} % interval for the mean over {int(pairs['n'].min())} random subsets."
    )
