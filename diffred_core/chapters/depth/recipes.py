"""The recipes by which layers were probed as published."""

from __future__ import annotations

import pandas as pd

from diffred_core import linear_probe
from diffred_core.chapters.random_subsets.recipes import recipe_traces as traces_of


def recipe_traces(table: pd.DataFrame) -> pd.DataFrame:
    """Return `random_subsets.recipe_traces` of a table of `layers`."""
    return traces_of(table, named=linear_probe.tunnel_recipe)
