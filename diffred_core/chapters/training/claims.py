"""Claims of the chapter: a number a seed, its interval over seeds, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.training import names
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.results.claims import Claim, Side, judge, percent


@dataclass(frozen=True)
class Statement:
    """What a page claims, and which numbers of its table it is about.

    Attributes
    ----------
    key : str
        By which the sentence of the answer calls its value.
    name, statement : str
        As in `results.claims.Claim`.
    measured : str
        What the number is, for the evidence.
    of : mapping
        Columns and values of the rows: one row a seed.
    less : mapping
        What differs in the rows that are subtracted, seed by seed; none by default.
    limit, side
        As in `results.claims.judge`.
    """

    key: str
    name: str
    statement: str
    measured: str
    of: Mapping[str, object]
    less: Mapping[str, object] = field(default_factory=dict)
    limit: float = 0.0
    side: Side = "above"


def bridge(method: str, statement: str, *, size: int = names.CLAIM_SIZE) -> Statement:
    """Return the claim that what `method` keeps of a layer serves a probe better than as many random dimensions."""
    return Statement(
        key="bridge",
        name="bridge to the layer",
        statement=statement,
        measured=f"accuracy of a probe on {size} dimensions, less that on {size} random dimensions",
        of={"metric": names.GAIN, "method": method, "n_selected": size},
    )


def judged(table: pd.DataFrame, statements: Sequence[Statement], *, level: float = 0.95) -> dict[str, Claim]:
    """Return the verdicts on statements about one table, by their keys.

    Parameters
    ----------
    table : DataFrame
        Of one system.
    statements : sequence of Statement
    level : float
        Coverage of Student's interval over seeds.

    Raises
    ------
    InputError
        If the table lacks rows that a statement is about, or has several a seed.
    """
    return {one.key: _judged(table, one, level) for one in statements}


def _judged(table: pd.DataFrame, one: Statement, level: float) -> Claim:
    values = _by_seed(table, one, one.of)
    if one.less:
        values = (values - _by_seed(table, one, {**one.of, **one.less})).dropna()
    value, low, high = intervals.mean_interval(values.to_numpy(dtype=float), level=level)
    over = f"over {len(values)} seeds"
    spread = f"{percent(level)} interval {low:.3g} to {high:.3g} {over}" if low == low else "one seed, no interval"
    limit = {"above": "above", "below": "at most", "within": "not further from 0 than"}[one.side]
    return judge(
        name=one.name,
        statement=one.statement,
        evidence=f"{one.measured[:1].upper()}{one.measured[1:]}: {value:.3g}, {spread}; claimed is {limit} "
        f"{one.limit:.3g}.",
        value=value,
        low=low,
        high=high,
        limit=one.limit,
        side=one.side,
    )


def _by_seed(table: pd.DataFrame, one: Statement, columns: Mapping[str, object]) -> pd.Series:
    rows = where(table, **columns)
    if rows.empty or rows["seed"].duplicated().any():
        what = ", ".join(f"{name} {value}" for name, value in columns.items())
        raise InputError(
            f"expected one row a seed with {what} for the claim {one.name!r}, got {len(rows)} rows; run the sweep of "
            "that page"
        )
    return rows.set_index("seed")["value"].astype(float)
