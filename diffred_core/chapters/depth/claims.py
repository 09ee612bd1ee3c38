"""Published claims about depth, held against a table of `sweeps.layers`: each with its numbers and a verdict."""

from __future__ import annotations

import pandas as pd

from diffred_core.errors import InputError
from diffred_core.results.claims import Claim, above_zero, verdict

RETAINED = 95.0  # percent above which a tunnel is called negligible (Harun et al. 2024)
SELECTED = "bootstrap over validation and test rows"
DESIGNS = {
    "in_distribution": "",
    "transfer": ", with probes of its own,",
    "shift": ", with the probes of the reference task,",
}


def every(table: pd.DataFrame) -> list[Claim]:
    """Return the claims about every task and design of the table, one after the other, and the one about all of it."""
    found: list[Claim] = []
    for task, method in cells(table):
        found.append(last_layer_is_not_best(table, task=task, method=method))
        if method != "in_distribution":
            found += [
                made(table, task=task, method=method) for made in (performance_is_retained, loss_is_of_other_data)
            ]
            # an accuracy that is the same in all layers correlates with nothing, and has no row
            found += [other_data_follow(table, task=task, method=method)] if _varies(table, task, method) else []
    return found + ([selection_flatters(table)] if "optimism" in set(table["metric"]) else [])


def cells(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return task and method of every curve of the table, in its order."""
    rows = table[(table["metric"] == "accuracy") & table["method"].isin(DESIGNS)]
    return list(dict.fromkeys(zip(rows["task"], rows["method"], strict=True)))


def last_layer_is_not_best(table: pd.DataFrame, *, task: str, method: str, level: float = 0.95) -> Claim:
    """Return the claim that the layer which validation rows choose is more accurate than the last one.

    Parameters
    ----------
    table : DataFrame
        Of sweeps.layers.
    task, method : str
        Which curve.
    level : float
        Coverage that the sweep gave to its intervals.

    Raises
    ------
    InputError
        If the table has no such curve.
    """
    value, low, high = _limits(table, "best_layer_gain", task, method)
    layers = list(dict.fromkeys(table["layer"]))
    best = layers[int(_value(table, "best_layer", task, method)) - 1]
    gains = (
        f"which gains {100 * value:+.1f} points over the last layer" if best != layers[-1] else "the last layer itself"
    )
    return _claim(
        name="last layer is not best",
        statement=f"for {task}{DESIGNS[method]} a layer before the last is better.",
        evidence=(
            f"Validation rows choose {best}, {gains}; {100 * level:g} % interval of the gain {100 * low:+.1f} to "
            f"{100 * high:+.1f} points ({SELECTED})."
        ),
        limits=(value, low, high),
        limit=0.0,
        below=False,
    )


def performance_is_retained(
    table: pd.DataFrame, *, task: str, method: str, limit: float = RETAINED, level: float = 0.95
) -> Claim:
    """Return the claim that the last layer retains at least `limit` percent of the best layer: no tunnel to speak of.

    The best layer is the one that validation rows choose; as published it is chosen on the rows that are measured.

    Parameters
    ----------
    table, task, method, level
        As in `last_layer_is_not_best`.
    limit : float
        In percent; 95 is published.

    Raises
    ------
    InputError
        As `last_layer_is_not_best`.
    """
    value, low, high = _limits(table, "percent_retained_held_out", task, method)
    published = _value(table, "percent_retained", task, method)
    return _claim(
        name="performance is retained",
        statement=f"for {task}{DESIGNS[method]} the last layer retains at least {limit:g} % of the best one.",
        evidence=(
            f"It retains {value:.1f} %, {100 * level:g} % interval {low:.1f} to {high:.1f} ({SELECTED}); "
            f"as published, with the best layer chosen on test rows, {published:.1f} %."
        ),
        limits=(value, low, high),
        limit=limit,
        below=False,
    )


def loss_is_of_other_data(table: pd.DataFrame, *, task: str, method: str, level: float = 0.95) -> Claim:
    """Return the claim that the last layers cost `task` more than they cost the reference task: a tunnel.

    Parameters
    ----------
    table, task, method, level
        As in `last_layer_is_not_best`.

    Raises
    ------
    InputError
        As `last_layer_is_not_best`.
    """
    value, low, high = _limits(table, "retained_beyond_id", task, method)
    return _claim(
        name="loss is of other data",
        statement=f"the last layers cost {task}{DESIGNS[method]} more than the reference task.",
        evidence=(
            f"The share retained is {value:+.1f} points from that of the reference, {100 * level:g} % interval "
            f"{low:+.1f} to {high:+.1f} ({SELECTED})."
        ),
        limits=(value, low, high),
        limit=0.0,
        below=True,
    )


def other_data_follow(table: pd.DataFrame, *, task: str, method: str, level: float = 0.95) -> Claim:
    """Return the claim that over layers the accuracy on `task` rises and falls with that on the reference task.

    Parameters
    ----------
    table, task, method, level
        As in `last_layer_is_not_best`.

    Raises
    ------
    InputError
        As `last_layer_is_not_best`.
    """
    value, low, high = _limits(table, "id_ood_correlation", task, method)
    return _claim(
        name="other data follow",
        statement=f"over layers the accuracy on {task}{DESIGNS[method]} goes with that on the reference task.",
        evidence=(
            f"Their correlation is {value:.2f}, {100 * level:g} % interval {low:.2f} to {high:.2f} (bootstrap over "
            "test rows)."
        ),
        limits=(value, low, high),
        limit=0.0,
        below=False,
    )


def selection_flatters(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that choosing the epoch of the published probe on test rows raises its accuracy.

    Parameters
    ----------
    table : DataFrame
        Of sweeps.layers, with probes as published.
    level : float
        Coverage of the interval over runs, each averaged over tasks and layers.

    Raises
    ------
    InputError
        If the table has no probe as published.
    """
    rows = table[table["metric"] == "optimism"]
    if rows.empty:
        raise InputError("expected rows of the metric optimism, got none; run the sweep with published_layers above 0")
    by_run = 100 * rows.groupby("repeat")["value"].mean()
    return above_zero(
        "selection flatters",
        "the published probe looks better for having its epoch chosen on test rows.",
        "The points that this adds, on average over tasks and layers",
        by_run,
        level=level,
        digits=2,
        over="runs",
    )


def _claim(
    *, name: str, statement: str, evidence: str, limits: tuple[float, float, float], limit: float, below: bool
) -> Claim:
    value, low, high = limits
    return Claim(name, statement, evidence, value, low, high, limit, verdict(low, high, limit, below=below))


def _varies(table: pd.DataFrame, task: str, method: str) -> bool:
    rows = table[(table["task"] == task) & (table["method"] == method)]
    return "id_ood_correlation" in set(rows["metric"])


def _limits(table: pd.DataFrame, metric: str, task: str, method: str) -> tuple[float, float, float]:
    return tuple(_value(table, f"{metric}{end}", task, method) for end in ("", "_low", "_high"))


def _value(table: pd.DataFrame, metric: str, task: str, method: str) -> float:
    rows = table[(table["metric"] == metric) & (table["task"] == task) & (table["method"] == method)]
    if rows.empty:
        known = ", ".join(f"{t} ({m})" for t, m in cells(table))
        raise InputError(f"expected {metric} of {task} ({method}), got no such row; the table holds {known or 'none'}")
    return float(rows["value"].iloc[0])
