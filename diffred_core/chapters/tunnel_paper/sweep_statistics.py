"""Every statistic of the paper computed again from its table, one row a statistic."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from diffred_core import results, tunnel
from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS, GROUPS, VARIANTS, select
from diffred_core.chapters.tunnel_paper.effects import effect_rows
from diffred_core.chapters.tunnel_paper.headings import residual_rows
from diffred_core.chapters.tunnel_paper.names import FULL, MEASURES, N_OOD
from diffred_core.chapters.tunnel_paper.printed import replay
from diffred_core.chapters.tunnel_paper.regression import explained_rows, slope_rows, variance_rows
from diffred_core.chapters.tunnel_paper.rounding import half_units
from diffred_core.results import published
from diffred_core.results.rows import Row

_POOLED = {
    "experiment": "tunnel_statistics",
    "task": "OOD sets of Harun et al. 2024",
    "model": "networks of Harun et al. 2024",
    "layer": "penultimate",
}


def statistics(
    table: pd.DataFrame,
    *,
    n_splits: int = 3,
    n_folds: int = 8,
    n_seeds: int = 3,
    n_boot: int = 20_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the results table of the chapter.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    n_splits, n_folds : int
        Random divisions of the design in the cross-validation, and the folds of each.
    n_seeds : int
        Seeds of the regression whose slopes are compared.
    n_boot : int
        Resamples of the intervals over pairs of networks.
    seed : int
        Of resamples and divisions.

    Returns
    -------
    DataFrame
        A results table with the rows of `effect_rows`, `residual_rows`, `explained_rows`, `slope_rows`, `variance_rows`
        and `average_rows`, and how many printed numbers come out (metric printed_numbers, label: the verdict of
        `printed.replay`).
    """
    measured = [
        *effect_rows(table, (*COMPARISONS, *VARIANTS), n_boot=n_boot, seed=seed),
        *residual_rows(table, published.tunnel_accuracies()),
        *explained_rows(table, n_splits=n_splits, n_folds=n_folds, seed=seed),
        *slope_rows(table, n_seeds=n_seeds),
        *variance_rows(select(table, {"id_set": FULL, "resolution": (32, 224)})),
        *average_rows(table),
    ]
    recomputed = as_results(measured)
    verdicts = replay(recomputed)["verdict"].value_counts().sort_index()
    counted = {"method": "replay", "metric": "printed_numbers"}
    counts = as_results([counted | {"label": verdict, "value": n} for verdict, n in verdicts.items()])
    return pd.concat([recomputed, counts], ignore_index=True)


def as_results(rows: list[Row]) -> pd.DataFrame:
    """Return rows of this chapter as a results table; task and model name what is pooled, where a row names neither."""
    return results.as_table([_POOLED | row for row in rows])


def average_rows(table: pd.DataFrame) -> Iterator[Row]:
    """Yield means over OOD sets: of the groups of networks that the paper prints, and of every network.

    Metric mean, method: the group (with what rounding allows from low to high) or the network, label: the measure; and
    metric networks: how many have a tunnel of the strength in method.
    """
    for name, selection in GROUPS.items():
        rows = select(table, selection)
        for measure, mean in rows[list(MEASURES)].mean().items():
            half = half_units(rows, str(measure)).mean()
            limits = {"low": mean - half, "high": mean + half, "n": len(rows)}
            yield {"method": name, "metric": "mean", "label": measure, "value": mean, **limits}
    by_network = table.groupby(["block", "name"])[list(MEASURES)].mean().droplevel("block")
    for name, means in by_network.iterrows():
        for measure, mean in means.items():
            yield {"method": name, "metric": "mean", "label": measure, "value": mean, "n": N_OOD}
    strengths = by_network["retained"].map(tunnel.strength).value_counts()
    for strength in tunnel.STRENGTHS:
        yield {"method": strength, "metric": "networks", "label": "retained", "value": strengths.get(strength, 0)}
