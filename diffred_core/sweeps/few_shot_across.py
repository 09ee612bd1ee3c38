"""What few_shot tables say beyond one setting: gains by shots and classes, the bridge to full data, all tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from diffred_core import few_shot_claims, results
from diffred_core.claims import Claim
from diffred_core.few_shot_claims._reading import difference
from diffred_core.sweeps._rows import Row
from diffred_core.sweeps._subset_probes import subset_probes

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

KEYS = ["task", "model"]
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
        rows += [{"task": task, "model": model, **vars(claim)} for claim in few_shot_claims.every(cell, level=level)]
    for model, cells in tables.groupby("model"):
        if claim := augmentations_differ(cells, level=level):
            rows.append({"task": "all tasks", "model": model, **vars(claim)})
    return pd.DataFrame(rows)


def crop_gains(tables: pd.DataFrame, *, kind: str = "importance", level: float = 0.95) -> pd.DataFrame:
    """Return what a mask gains with importance from views of several recipes, by task.

    Returns
    -------
    DataFrame
        Columns task, model, recipe, mean, low, high, n, level; no row where no table compares recipes.
    """
    rows = tables[(tables["method"] == f"mask_{kind}_views") & tables["label"].fillna("").str.contains(", ")]
    if rows.empty:
        return pd.DataFrame(columns=[*KEYS, "recipe", "mean", "low", "high", "n", "level"])
    found = results.summarize_episodes(rows, [*KEYS, "label"], metric="gain", level=level)
    found["recipe"] = found.pop("label").str.removesuffix(", original")
    return found[[*KEYS, "recipe", "mean", "low", "high", "n", "level"]]


def augmentations_differ(tables: pd.DataFrame, *, level: float = 0.95) -> Claim | None:
    """Return C10, that the best augmentation is not the same for all tasks; None if fewer than two tasks compare some.

    It holds where two tasks have different best recipes, each ahead of the other task's by more than the intervals
    of both (disjoint, so strict); it fails where one recipe is ahead so in all tasks; else it is undecided. The value
    is the second clearest lead of a task's best recipe over its next, as the claim needs two tasks; its interval takes
    the two gains as independent, which is too wide for gains on the same episodes.
    """
    gains = crop_gains(tables, level=level).groupby("task").filter(lambda rows: len(rows) > 1)
    if gains["task"].nunique() < 2:
        return None
    ahead = {task: _ahead(rows) for task, rows in gains.groupby("task")}
    leads = {task: _lead(rows) for task, rows in gains.groupby("task")}
    best = gains.loc[gains.groupby("task")["mean"].idxmax()]
    named = "; ".join(
        f"{row.recipe} on {row.task} ({100 * row.mean:+.1f} points, {100 * leads[row.task]['mean']:+.1f} on the next)"
        for row in best.itertuples()
    )
    clear = {recipe for recipe in ahead.values() if recipe}
    said = "holds" if len(clear) > 1 else "fails" if len(clear) == 1 and all(ahead.values()) else "undecided"
    second = sorted(leads.values(), key=lambda lead: lead["low"])[-2]
    return Claim(
        name="C10 best augmentation differs",
        statement="the augmentation that serves importance best differs by task.",
        evidence=(
            f"Best: {named}; clearly ahead in {sum(map(bool, ahead.values()))} of {len(ahead)} tasks. The second "
            f"clearest of these leads: {100 * second['mean']:+.1f} points, {100 * level:g} % interval "
            f"{100 * second['low']:+.1f} to {100 * second['high']:+.1f} over {int(second['n']):,} episodes."
        ),
        value=second["mean"],
        low=second["low"],
        high=second["high"],
        limit=0.0,
        verdict=said,
    )


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


def _ahead(rows: pd.DataFrame) -> str | None:
    """Return the recipe whose interval lies above all others', if there is one."""
    ordered = rows.sort_values("mean", ascending=False)
    first, others = ordered.iloc[0], ordered.iloc[1:]
    return str(first["recipe"]) if len(others) and (others["high"] < first["low"]).all() else None


def _lead(rows: pd.DataFrame) -> pd.Series:
    """Return what the best recipe gains on the next, with its interval."""
    first, second = (row for _, row in rows.nlargest(2, "mean").iterrows())
    return difference(first, second)
