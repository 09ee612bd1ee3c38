"""What few_shot tables say beyond one setting: gains by shots and classes, the bridge to full data, all tasks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

import pandas as pd

from diffred_core import results
from diffred_core.chapters import few_shots
from diffred_core.chapters.few_shots.claims_crops import KEYS, augmentations_differ
from diffred_core.chapters.few_shots.claims_crops import crop_gains as crop_gains
from diffred_core.chapters.random_subsets.sweep_probes import subset_probes
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

CENTROID = "centroid_euclidean"
MASKS = ("importance", "scaled", "inverse_spread")
BRIDGE_FRACTIONS: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def gains_along(table: pd.DataFrame, *, x: str, level: float = 0.95) -> pd.DataFrame:
    """Return the gain of the best share of dimensions, and of masks, against the number of shots or of classes.

    Parameters
    ----------
    table : DataFrame
        Of few_shot, one model and task.
    x : {"n_shot", "n_way"}
        What varies; the other number is that of the headline (the fewest shots).
    level : float
        Coverage of the intervals over episodes.

    Returns
    -------
    DataFrame
        Columns method, `x`, mean, low, high, n, level, and for the oracle fraction, the share that is best.
    """
    other = "n_way" if x == "n_shot" else "n_shot"
    headline = table[(table["method"] == "oracle_all") & (table["split"] == "pool")]
    rows = table[(table[other] == headline[other].min()) & (table["probe"] == CENTROID)]
    oracle = rows[(rows["method"] == "oracle_all") & (rows["split"] == "all")]
    found = [results.summarize_episodes(oracle, ["method", x, "fraction"], metric="peak_gain", level=level)]
    for kind in MASKS:
        by = rows[(rows["label"] == "original") & (rows["split"] == "pool")]
        # views where there are some, else the shots alone
        for who in ("views", "shots"):
            mine = by[by["method"] == f"mask_{kind}_{who}"]
            if len(mine):
                part = results.summarize_episodes(mine, [x], metric="gain", level=level)
                found.append(part.assign(method=f"mask_{kind}"))
                break
    return pd.concat(found, ignore_index=True)


def bridge(features: TaskFeatures, table: pd.DataFrame, *, n_seeds: int = 5, level: float = 0.95) -> pd.DataFrame:
    """Return accuracy less that of all dimensions: random subsets at full data, and chosen ones at few shots.

    All by ridge probes, those of the episodes at the fewest and the most shots of the table: at a fixed regulariser,
    those of full data at one chosen on validation rows. Intervals are over episodes for the first and over draws of the
    subset for the second. The task with all rows has all its classes, an episode has few: compare shapes.

    Parameters
    ----------
    features : TaskFeatures
        The model and task of the table.
    table : DataFrame
        Of few_shot, with the head ridge.
    n_seeds : int
        Draws of the random subsets at full data.
    level : float
        Coverage.

    Returns
    -------
    DataFrame
        Columns method (``random`` or ``top``), n_shot (empty for full data), fraction, mean, low, high, n, level.
    """
    names = {"random": "random", "oracle_no_query": "top"}
    heads = table[(table["probe"] == "ridge") & table["method"].isin(names) & table["fraction"].notna()]
    heads = heads[heads["n_shot"].isin([heads["n_shot"].min(), heads["n_shot"].max()])]
    few = results.summarize_episodes(heads, ["method", "n_shot", "fraction"], metric="gain", level=level)
    options = {"fractions": BRIDGE_FRACTIONS, "logistic_fractions": (), "gap_fractions": (), "deltas": (0.9,)}
    full = subset_probes(features, methods=("random",), n_seeds=n_seeds, **options)
    full = full[full["metric"] == "accuracy"]
    whole = float(full.loc[full["method"] == "full", "value"].iloc[0])
    drawn = full[full["method"] == "random"].assign(value=lambda rows: rows["value"] - whole)
    many = results.summarize(drawn, ["method", "fraction"], level=level)
    few = few.assign(method=few["method"].map(names))
    return pd.concat([many.assign(n_shot=pd.array([None] * len(many), dtype="Int64")), few], ignore_index=True)


def mask_by_prototypes(rows: pd.DataFrame, *, kind: str = "importance", level: float = 0.95) -> pd.DataFrame:
    """Return what a mask and prototypes of views give apart and together: {none, mask} by {plain, of views}.

    Parameters
    ----------
    rows : DataFrame
        Of few_shot: one model, task, setting and classifier.
    kind : str
        Of the mask, its importance estimated from the support and its views.
    level : float
        Coverage of the intervals over episodes.

    Returns
    -------
    DataFrame
        Columns mask, prototypes, accuracy, gain, low, high: at most four rows, fewer without views. The gain is paired,
        of a mask over none at the same prototypes, and without a mask of prototypes of views over plain ones.
    """
    masks, prototypes = {"no_mask": "none", f"mask_{kind}_views": kind}, {"original": "plain", "views": "of views"}
    four = rows[rows["method"].isin(masks) & rows["label"].isin(prototypes)]
    keys = ["method", "label"]
    found = results.summarize_episodes(four, keys, metric="accuracy", level=level).set_index(keys)
    gains = pd.DataFrame(columns=["mean", "low", "high"], index=found.index[:0], dtype=float)
    if (four["metric"] == "gain").any():
        gains = results.summarize_episodes(four, keys, metric="gain", level=level).set_index(keys)
    joined = (
        found[["mean"]]
        .rename(columns={"mean": "accuracy"})
        .join(gains[["mean", "low", "high"]].rename(columns={"mean": "gain"}))
    )
    joined = joined.reindex([key for key in product(masks, prototypes) if key in joined.index]).reset_index()
    named = {"mask": joined.pop("method").map(masks), "prototypes": joined.pop("label").map(prototypes)}
    return pd.concat([pd.DataFrame(named), joined], axis=1)


def peaks(tables: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Return the best share of the dimensions, by the published oracle, and its gain over all, of every task and model.

    Returns
    -------
    DataFrame
        Columns task, model, n_way, n_shot, fraction, mean, low, high, n, level; one row a number of shots at which
        everything was measured.
    """
    rows = tables[(tables["method"] == "oracle_all") & (tables["split"] == "pool") & (tables["probe"] == CENTROID)]
    return results.summarize_episodes(rows, [*KEYS, "n_way", "n_shot", "fraction"], metric="peak_gain", level=level)


def claims_by_cell(tables: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Return every published claim held against every model and task, and C10 against every model.

    Returns
    -------
    DataFrame
        Columns task, model, name, verdict, value, low, high, limit, statement, evidence.
    """
    rows = []
    for (task, model), cell in tables.groupby(KEYS):
        rows += [{"task": task, "model": model, **vars(claim)} for claim in few_shots.claims.every(cell, level=level)]
    for model, cells in tables.groupby("model"):
        if claim := augmentations_differ(cells, level=level):
            rows.append({"task": "all tasks", "model": model, **vars(claim)})
    return pd.DataFrame(rows)


def summary_table(tables: pd.DataFrame) -> pd.DataFrame:
    """Return the results table of the summary: one row a claim of a model and task, its value the measurement.

    Returns
    -------
    DataFrame
        Metrics ``claim_...``, ``claim_..._low`` and ``claim_..._high``; the label is the verdict.
    """
    widths = tables.groupby("model")["n_features"].first()
    found = claims_by_cell(tables).to_dict("records")
    shared = {"experiment": "few_shot_summary", "layer": "penultimate", "method": "claim"}
    return results.as_table([shared | {"n_features": widths[row["model"]]} | row for row in _claim_rows(found)])


def _claim_rows(found: list[dict]) -> Iterator[Row]:
    for row in found:
        metric = f"claim_{row['name'].lower().replace(',', '').replace('%', 'percent').replace(' ', '_')}"
        who = {"task": row["task"], "model": row["model"], "label": row["verdict"]}
        for ending, column in (("", "value"), ("_low", "low"), ("_high", "high")):
            yield who | {"metric": metric + ending, "value": row[column]}
