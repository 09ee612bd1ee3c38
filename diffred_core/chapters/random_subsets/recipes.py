"""What the probes of a table that were trained as published did: the trace of each recipe."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from diffred_core import linear_probe
from diffred_core.chapters.random_subsets import names
from diffred_core.linear_probe import AdamWRecipe, SGDRecipe
from diffred_core.results import where


def recipe_traces(
    table: pd.DataFrame, *, named: Callable[[str], SGDRecipe | AdamWRecipe] = linear_probe.sgd_recipe
) -> pd.DataFrame:
    """Return one row a recipe and number of steps that probes of a table were trained by.

    Parameters
    ----------
    table : DataFrame
        Of `probes`, or another one whose rows of the metric steps name a recipe.
    named : callable
        Gives the recipe of a name.

    Returns
    -------
    DataFrame
        Columns task, recipe, and those of `linear_probe.recipe_trace`; no row where no probe was trained so.
    """
    runs = where(table, metric=names.STEPS)[["task", "recipe", "value"]].drop_duplicates()
    return pd.DataFrame(
        [
            {"task": str(run.task), "recipe": str(run.recipe)}
            | linear_probe.recipe_trace(named(str(run.recipe)), steps=int(run.value))
            for run in runs.itertuples()
        ]
    )
