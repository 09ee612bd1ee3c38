"""Reading the tables of the chapter: the headline setting of a sweep of episodes, and the errors of the theory."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.few_shots.names import BY_VIEWS, EXACT, ORACLE, POOL, SIMULATED
from diffred_core.errors import InputError
from diffred_core.results import where


def all_shots(table: pd.DataFrame) -> list[int]:
    """Return the numbers of shots at which everything was measured, growing.

    Raises
    ------
    InputError
        If the table holds no curve of the published oracle.
    """
    return sorted(int(n_shot) for n_shot in _published(table)["n_shot"].unique())


def n_way(table: pd.DataFrame) -> int:
    """Return the number of classes of the headline, at which curves of the pool were measured."""
    return int(_published(table)["n_way"].iloc[0])


def at_first_recipe(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without the masks by views of further recipes, which are there only to be compared."""
    first = table.loc[table["method"] == BY_VIEWS, "recipe"].dropna().unique()
    return table[table["recipe"].isna() | table["recipe"].isin(first)]


def headline(table: pd.DataFrame, *, n_shot: int | None = None, **values: str | tuple[str, ...]) -> pd.DataFrame:
    """Return the rows of the pool at the headline's classes and at `n_shot`, by default the fewest shots."""
    n_shot = all_shots(table)[0] if n_shot is None else n_shot
    return where(at_first_recipe(table), split=POOL, n_way=n_way(table), n_shot=n_shot, **values)


def along(table: pd.DataFrame, column: str, **values: str) -> pd.DataFrame:
    """Return the rows with these values along n_shot or n_way, the other number that of the headline."""
    other = {"n_way": n_way(table)} if column == "n_shot" else {"n_shot": all_shots(table)[0]}
    return where(at_first_recipe(table), **other, **values)


def theory_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of a table of the theory, one row each, with the standard error of those of draws."""
    rows = where(table, metric="error")
    return rows.assign(label=rows["label"].fillna(""), standard_error=rows["sd"] / rows["n"].astype(float) ** 0.5)


def theory_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of a table of the theory side by side.

    Returns
    -------
    DataFrame
        Columns method, label, n_selected, n_shot, simulated, exact, approximated, deviation (of simulated from exact,
        in standard errors of the difference).
    """
    keys, values = ["method", "label", "n_selected", "n_shot"], ["value", "standard_error"]
    wide = theory_rows(table).pivot(index=keys, columns="recipe", values=values)
    errors, spread = wide["value"].rename_axis(columns=None), wide["standard_error"]
    spread = (spread[SIMULATED] ** 2 + spread[EXACT] ** 2) ** 0.5
    return errors.assign(deviation=(errors[SIMULATED] - errors[EXACT]) / spread).reset_index()


def _published(table: pd.DataFrame) -> pd.DataFrame:
    rows = where(table, method=ORACLE, split=POOL)
    if rows.empty:
        raise InputError("expected a table of few_shots.episodes, got one without oracle_all; run that sweep")
    return rows
