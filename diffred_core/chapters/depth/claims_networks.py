"""What is claimed of tunnels, held against a table of small networks: compared in pairs of networks of one seed.

Three claims are those of Harun et al. (2024): keeping the resolution (no early pooling) keeps OOD performance, depth
loses it, and what is lost is lost on other data and not on the task that the network was trained on. The fourth is what
their name for it, a tunnel that training digs, would have: that the same network retained more before it was trained.
"""

from __future__ import annotations

import pandas as pd

from diffred_core.errors import InputError
from diffred_core.results.claims import Claim, above_zero

RETAINED = "mean_percent_retained"


def late_pooling_retains_more(table: pd.DataFrame, *, model: str, level: float = 0.95) -> Claim:
    """Return the claim that a network without early pooling retains more of its OOD performance.

    Parameters
    ----------
    table : DataFrame
        Of sweeps.tunnel_small_networks.
    model : str
        Depth and width, as in the column of that name.
    level : float
        Coverage of the interval over seeds.

    Raises
    ------
    InputError
        If one of the two was not trained.
    """
    early, late = (_by_seed(table, RETAINED, model=model, method=f"{when}_pooling") for when in ("early", "late"))
    return above_zero(
        "late pooling retains more",
        f"without early pooling {model} retains more of its OOD performance.",
        f"It retains {late.mean():.1f} % against {early.mean():.1f} %, in points",
        late - early,
        level=level,
        digits=1,
        over="pairs of networks",
    )


def depth_retains_less(table: pd.DataFrame, *, shallow: str, deep: str, method: str, level: float = 0.95) -> Claim:
    """Return the claim that the deeper of two networks retains less of its OOD performance.

    Parameters
    ----------
    table, level
        As in `late_pooling_retains_more`.
    shallow, deep : str
        Names in the column model.
    method : str
        ``early_pooling`` or ``late_pooling``.

    Raises
    ------
    InputError
        If one of the two was not trained.
    """
    less, more = (_by_seed(table, RETAINED, model=model, method=method) for model in (deep, shallow))
    return above_zero(
        "depth retains less",
        f"{deep} retains less of its OOD performance than {shallow} ({method.replace('_', ' ')}).",
        f"It retains {less.mean():.1f} % against {more.mean():.1f} %; the loss, in points",
        more - less,
        level=level,
        digits=1,
        over="pairs of networks",
    )


def loss_is_of_other_data(table: pd.DataFrame, *, model: str, method: str, level: float = 0.95) -> Claim:
    """Return the claim that the last layers lose performance on other data, beyond what they lose on their own task.

    Parameters
    ----------
    table, model, method, level
        As in `depth_retains_less`.

    Raises
    ------
    InputError
        If the network was not trained.
    """
    inside = _by_seed(table, "id_percent_retained", model=model, method=method)
    outside = _by_seed(table, RETAINED, model=model, method=method)
    return above_zero(
        "loss is of other data",
        f"the last layers of {model} ({method.replace('_', ' ')}) lose more on other data than on their own task.",
        f"Retained are {inside.mean():.1f} % on the task and {outside.mean():.1f} % on other data, in points",
        inside - outside,
        level=level,
        digits=1,
        over="networks",
    )


def training_retains_less(table: pd.DataFrame, *, model: str, method: str, level: float = 0.95) -> Claim:
    """Return the claim that a network retains less of its OOD performance after training than before.

    Parameters
    ----------
    table, model, method, level
        As in `depth_retains_less`; the table must hold the untrained networks.

    Raises
    ------
    InputError
        If the network was not probed before and after training.
    """
    before, after = (_by_seed(table, RETAINED, model=model, method=f"{method}{state}") for state in ("_untrained", ""))
    return above_zero(
        "training retains less",
        f"{model} ({method.replace('_', ' ')}) retains less of its OOD performance after training than before.",
        f"It retains {after.mean():.1f} % against {before.mean():.1f} %; the loss, in points",
        before - after,
        level=level,
        digits=1,
        over="networks",
    )


def _by_seed(table: pd.DataFrame, metric: str, *, model: str, method: str) -> pd.Series:
    rows = table[(table["metric"] == metric) & (table["model"] == model) & (table["method"] == method)]
    if rows.empty:
        known = sorted({f"{row.model} {row.method}" for row in table.itertuples()})
        raise InputError(f"expected {metric} of {model} {method}, got none; the table holds {', '.join(known)}")
    return rows.set_index("seed")["value"].astype(float).sort_index()
