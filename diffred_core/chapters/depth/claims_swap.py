"""Claims about whose tunnel forgets, held against networks that were trained on one task and then on another.

Masarczyk et al. (2023) find that tunnels can be exchanged and that forgetting is of the extractor; Harun et al. (2024)
that an exchanged tunnel costs accuracy. Extractor and tunnel are cut where the probes of a network reach 95 % of their
final accuracy on the first task (`tunnel.tunnel_start`), each network at its own place.
"""

from __future__ import annotations

import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.depth import names
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.results.claims import Claim, above_zero, judge, percent

OVER = "networks"
MARGIN = 5.0  # points of accuracy that an exchange may cost
START = next(iter(names.TUNNEL_STARTS))


def all_claims(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return the claims about a table of `tunnel_swap`.

    Raises
    ------
    InputError
        If it is of something else.
    """
    claims = [
        network_forgets(table, level=level),
        tunnel_is_exchangeable(table, number=1, level=level),
        tunnel_is_exchangeable(table, number=2, level=level),
        forgetting_is_of_extractor(table, level=level),
    ]
    return claims + ([parts_belong_together(table, level=level)] if names.OTHER_TUNNEL in set(table["method"]) else [])


def tasks_of(table: pd.DataFrame) -> tuple[str, str]:
    """Return the names of the first and of the second task.

    Raises
    ------
    InputError
        If the table is none of `tunnel_swap`.
    """
    tasks = list(dict.fromkeys(where(table, metric=names.OF_PARTS)["task"]))
    if len(tasks) != 2:
        raise InputError(f"expected {names.OF_PARTS} on two tasks, got {', '.join(tasks) or 'none'}; run tunnel_swap")
    return tasks[0], tasks[1]


def cuts(table: pd.DataFrame) -> pd.Series:
    """Return by seed after how many layers the network is cut: where its tunnel begins, one layer being left for it."""
    start = where(table, metric=START, method=names.IN_DISTRIBUTION).set_index("seed")["value"].astype(int)
    last = where(table, metric=names.OF_PARTS, method=names.PARTS[1])["layer"].max()
    return start.clip(upper=int(last.removeprefix("conv")))


def by_seed(table: pd.DataFrame, parts: str, task: str) -> pd.Series:
    """Return the accuracy of parts on a task by seed, in percent, cut where the tunnel begins.

    Raises
    ------
    InputError
        If the table has no such parts.
    """
    rows = where(table, metric=names.OF_PARTS, method=parts, task=task)
    if rows.empty:
        held = ", ".join(dict.fromkeys(where(table, metric=names.OF_PARTS)["method"]))
        raise InputError(f"expected {parts} on {task}, got no such row; the table holds {held or 'none'}")
    if rows["layer"].nunique() > 1:
        at = cuts(table).map(lambda cut: f"conv{cut:02d}")
        rows = rows[rows["layer"] == rows["seed"].map(at)]
    return 100 * rows.set_index("seed")["value"]


def crossing(table: pd.DataFrame) -> int | None:
    """Return the fewest layers of an old extractor that restore more of the first task than the rest as an old tunnel.

    By means over networks; None where no cut does.
    """
    first, _ = tasks_of(table)
    rows = where(table, metric=names.OF_PARTS, task=first)
    means = rows.groupby(["method", "layer"])["value"].mean()
    lead = means["E1+T2"] - means["E2+T1"]
    ahead = lead[lead > 0].index
    return int(min(ahead).removeprefix("conv")) if len(ahead) else None


def network_forgets(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that after the second task a network is worse on the first one."""
    first, _ = tasks_of(table)
    before, after = (by_seed(table, parts, first) for parts in ("E1+T1", "E2+T2"))
    return above_zero(
        name="the network forgets",
        statement="after training on the second task the network is worse on the first one.",
        measured=f"Its accuracy is {before.mean():.1f} % before and {after.mean():.1f} % after; the loss, in points",
        differences=before - after,
        level=level,
        digits=1,
        over=OVER,
    )


def tunnel_is_exchangeable(table: pd.DataFrame, *, number: int, margin: float = MARGIN, level: float = 0.95) -> Claim:
    """Return the claim that the tunnel of the other stage costs a task at most `margin` points of its accuracy.

    Parameters
    ----------
    table : DataFrame
        Of `tunnel_swap`.
    number : {1, 2}
        The task, and the stage whose extractor stays.
    margin : float
        Points.
    level : float
    """
    task, other = tasks_of(table)[number - 1], 3 - number
    whole, swapped = (by_seed(table, f"E{number}+T{tunnel}", task) for tunnel in (number, other))
    value, low, high = intervals.mean_interval(whole - swapped, level=level)
    return judge(
        name=f"tunnel {other} serves task {number}",
        statement=(
            f"before the tunnel of stage {other} the extractor of stage {number} loses at most {margin:g} points on "
            f"task {number}."
        ),
        evidence=(
            f"E{number}+T{other} reaches {swapped.mean():.1f} % against {whole.mean():.1f} %; it loses {value:+.1f} "
            f"points, {percent(level)} interval {low:+.1f} to {high:+.1f} over {OVER}."
        ),
        value=value,
        low=low,
        high=high,
        limit=margin,
        side="below",
    )


def forgetting_is_of_extractor(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that putting back the old extractor restores more of the first task than the old tunnel."""
    first, _ = tasks_of(table)
    extractor, tunnel = (by_seed(table, parts, first) for parts in ("E1+T2", "E2+T1"))
    return above_zero(
        name="forgetting is of the extractor",
        statement="the old extractor restores more of the first task than the old tunnel does.",
        measured=f"E1+T2 reaches {extractor.mean():.1f} % and E2+T1 {tunnel.mean():.1f} %; the difference, in points",
        differences=extractor - tunnel,
        level=level,
        digits=1,
        over=OVER,
    )


def parts_belong_together(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that a later tunnel of the same network serves its old extractor better than another's tunnel.

    A control: if any tunnel did, nothing was learned from exchanging them.
    """
    first, _ = tasks_of(table)
    same, other = (by_seed(table, parts, first) for parts in ("E1+T2", names.OTHER_TUNNEL))
    return above_zero(
        name="parts belong together",
        statement="the tunnel of stage 2 serves the extractor of stage 1 better than that of another network does.",
        measured=f"E1+T2 reaches {same.mean():.1f} %, the tunnel of another seed {other.mean():.1f} %; more, in points",
        differences=same - other,
        level=level,
        digits=1,
        over=OVER,
    )
