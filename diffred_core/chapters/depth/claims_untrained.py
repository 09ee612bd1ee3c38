"""Why networks with random weights lose other data too, and how their loss differs from a tunnel.

The share retained alone does not tell the two apart. A random layer mixes what it is given, and the more layers and
poolings, the less of the classes a linear probe finds. Three claims ask what else changes with depth: the number of
features, the number of directions, and what training does to the last layer beside the best one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.depth import names
from diffred_core.errors import InputError
from diffred_core.redundancy import STRENGTHS
from diffred_core.results import where
from diffred_core.results.claims import Claim, above_zero, judge, percent

OVER = "networks"
Kind = Mapping[str, object]  # columns that networks share which differ in their seed alone, but for their recipe


def training_lifts_the_end(table: pd.DataFrame, *, network: str, kind: Kind, level: float = 0.95) -> Claim:
    """Return the claim that training raises the OOD accuracy of the last layer more than that of the best one.

    So the share retained rises with training although the network specialises.

    Parameters
    ----------
    table : DataFrame
        Of `small_networks` or `tunnel_factors`, with networks before training.
    network : str
        What the sentence calls the networks.
    kind : mapping
        Their columns: model and label.
    level : float

    Raises
    ------
    InputError
        If there are none of them, trained or untrained.
    """
    gains = {}
    for end, pick in (("last", "last"), ("best", "max")):
        after, before = (_accuracy(table, pick, kind, recipe) for recipe in (names.TRAINED, names.UNTRAINED))
        gains[end] = 100 * (after - before)
    return above_zero(
        name="training lifts the end",
        statement=f"training raises the OOD accuracy of the last layer of {network} by more than that of its best one.",
        measured=(
            f"By {gains['last'].mean():+.1f} points against {gains['best'].mean():+.1f}, mean over OOD tasks; the "
            "difference"
        ),
        differences=gains["last"] - gains["best"],
        level=level,
        digits=1,
        over=OVER,
    )


def number_is_not_why(table: pd.DataFrame, *, network: str, kind: Kind, level: float = 0.95) -> Claim:
    """Return the claim that untrained networks lose OOD performance with as many dimensions of every layer too.

    Parameters and errors are those of `training_lifts_the_end`.
    """
    rows = _rows(table, kind, names.UNTRAINED, metric=names.RETAINED_OF_K)
    of_k, all_features = (
        _rows(table, kind, names.UNTRAINED, metric=metric, method=names.TRANSFER).groupby("seed")["value"].mean()
        for metric in (names.RETAINED_OF_K, names.RETAINED)
    )
    value, low, high = intervals.mean_interval(of_k, level=level)
    limit = STRENGTHS["negligible"]
    return judge(
        name="number is not why",
        statement=(
            f"with {rows['n_selected'].iloc[0]} random dimensions of every layer {network} retains less than "
            f"{limit:g} % before training."
        ),
        evidence=(
            f"It retains {value:.1f} %, {percent(level)} interval {low:.1f} to {high:.1f} over {OVER}; with all "
            f"features {all_features.mean():.1f} %."
        ),
        value=value,
        low=low,
        high=high,
        limit=limit,
        side="below",
    )


def training_takes_directions(table: pd.DataFrame, *, network: str, kind: Kind, level: float = 0.95) -> Claim:
    """Return the claim that the last layer keeps a smaller share of the greatest rank after training than before.

    Parameters and errors are those of `training_lifts_the_end`.
    """
    shares = {}
    for recipe in (names.TRAINED, names.UNTRAINED):
        by_network = _rows(table, kind, recipe, metric=names.RANK).groupby("seed", sort=False)["value"]
        shares[recipe] = 100 * by_network.last() / by_network.max()
    after, before = shares[names.TRAINED], shares[names.UNTRAINED]
    return above_zero(
        name="training takes directions",
        statement=f"the last layer of {network} keeps less of the greatest rank after training than before.",
        measured=f"It keeps {after.mean():.0f} % against {before.mean():.0f} %; less, in points",
        differences=before - after,
        level=level,
        digits=0,
        over=OVER,
    )


def of_network(table: pd.DataFrame, *, network: str, kind: Kind, level: float = 0.95) -> list[Claim]:
    """Return the three claims about networks of one kind."""
    options: dict[str, Any] = {"network": network, "kind": kind, "level": level}
    return [claim(table, **options) for claim in (training_lifts_the_end, number_is_not_why, training_takes_directions)]


def _accuracy(table: pd.DataFrame, pick: str, kind: Kind, recipe: str) -> pd.Series:
    """Return the OOD accuracy of the last or best layer by seed, mean over tasks."""
    rows = _rows(table, kind, recipe, metric=names.ACCURACY, method=names.TRANSFER)
    return rows.groupby(["seed", "task"], sort=False)["value"].agg(pick).groupby("seed").mean()


def _rows(table: pd.DataFrame, kind: Kind, recipe: str, **values: object) -> pd.DataFrame:
    rows = where(table, recipe=recipe, **kind, **values)
    if rows.empty:
        named = " ".join(map(str, (*kind.values(), recipe)))
        raise InputError(f"expected {values['metric']} of {named}, got no such row; run the sweep with untrained=True")
    return rows
