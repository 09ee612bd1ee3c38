"""Every statistic of the paper computed again from its table, one row a statistic; and the headings of table 4."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd

from diffred_core import results, tunnel
from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS, GROUPS, VARIANTS
from diffred_core.chapters.tunnel_paper.effects import effect_rows, half_units
from diffred_core.chapters.tunnel_paper.names import IMAGENET, MEASURES, N_OOD, OOD_CLASSES, OOD_SETS, READINGS
from diffred_core.chapters.tunnel_paper.printed import replay
from diffred_core.chapters.tunnel_paper.regression import explained_rows, slope_rows, variance_rows
from diffred_core.errors import InputError
from diffred_core.results import published, where
from diffred_core.results.rows import Row

_POOLED = {
    "experiment": "tunnel_statistics",
    "task": "OOD sets of Harun et al. 2024",
    "model": "networks of Harun et al. 2024",
    "layer": "penultimate",
}
_SIXTH, _SEVENTH = OOD_SETS.index("CIFAR"), OOD_SETS.index("Pets")


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
        Random divisions of the combinations of predictors in the cross-validation, and the folds of each.
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
        *variance_rows(where(table, id_set=IMAGENET, resolution=(32, 224))),
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
        rows = where(table, **selection)
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


def residual_rows(table: pd.DataFrame, accuracies: pd.DataFrame) -> list[Row]:
    """Return how far the printed accuracies are from the alignments of the table, by reading of two column headings.

    Alignment is ``(a_id - 1/C_id)(a_ood - 1/C_ood)``, so the eight alignments of a network are one number, fitted here
    by least squares, times its accuracies above chance. Only rounding may be left: half a unit of the third decimal
    of the alignment, and little from the accuracy.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    accuracies : DataFrame
        Penultimate OOD accuracies in per cent as printed in table 4: network, augmentation, resolution, and eight
        columns in the printed order (`published.tunnel_accuracies`).

    Returns
    -------
    list of dict
        Metric alignment_residual; method: the reading (of `names.READINGS`), model: the network, task: the OOD set as
        tables 5 to 7 have it.

    Raises
    ------
    InputError
        If a network of `accuracies` is not one of the table's networks trained on ImageNet-100.
    """
    keys = ["network", "augmentation", "resolution"]
    aligned = where(table, id_set=IMAGENET).pivot(index=[*keys, "name"], columns="position", values="alignment")
    aligned, printed = aligned.reset_index("name"), accuracies.set_index(keys)
    if missing := list(printed.index.difference(aligned.index)):
        raise InputError(f"expected networks of the table in accuracies, got {missing[0]}; name them as the table does")
    models, aligned = aligned.loc[printed.index, "name"], aligned.loc[printed.index].drop(columns="name").to_numpy()
    shared = {"metric": "alignment_residual", "label": "alignment"}
    rows = []
    for reading in READINGS:
        accuracy, n_classes = _read_as(reading, printed.to_numpy() / 100)
        above = accuracy - 1 / n_classes
        above_id = (aligned * above).sum(1, keepdims=True) / (above**2).sum(1, keepdims=True)
        residuals = aligned - above_id * above
        for (model, task), value in zip(product(models, OOD_SETS), residuals.ravel().tolist(), strict=True):
            rows.append(shared | {"method": reading, "model": model, "task": task, "value": value})
    return rows


def _read_as(reading: str, printed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracies in the order of the table's columns, and the numbers of classes that go with them."""
    classes = np.array(list(OOD_CLASSES.values()))
    order = np.arange(len(classes))
    order[[_SIXTH, _SEVENTH]] = _SEVENTH, _SIXTH
    if reading == "exchanged":
        return printed, classes
    return (printed, classes[order]) if reading == "same_place" else (printed[:, order], classes)
