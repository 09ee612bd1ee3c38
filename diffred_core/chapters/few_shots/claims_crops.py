"""C10: which augmentation serves importance best, and whether that differs by task."""

from __future__ import annotations

import pandas as pd

from diffred_core import results
from diffred_core.chapters.few_shots.claims_reading import difference
from diffred_core.results.claims import Claim

KEYS = ["task", "model"]


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


def _ahead(rows: pd.DataFrame) -> str | None:
    """Return the recipe whose interval lies above all others', if there is one."""
    ordered = rows.sort_values("mean", ascending=False)
    first, others = ordered.iloc[0], ordered.iloc[1:]
    return str(first["recipe"]) if len(others) and (others["high"] < first["low"]).all() else None


def _lead(rows: pd.DataFrame) -> pd.Series:
    """Return what the best recipe gains on the next, with its interval."""
    first, second = (row for _, row in rows.nlargest(2, "mean").iterrows())
    return difference(first, second)
