"""The figure `speed`: seconds of this package, of its peers and of the floor, the step nobody can skip, by claim."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from diffred_core.drawing._show import Figure
from diffred_core.drawing.style import GREY, Look, begin, finish, looks, points

ROLES = {
    "ours": Look("diffred_core", "#0072B2", "o"),
    "peer": Look("peer", "#D55E00", "s"),
    "floor": Look("floor: the one step nobody can skip", GREY, "|"),
}


def plot_speed(results: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the seconds of one unit of work for every side of every claim, on a logarithmic axis.

    Parameters
    ----------
    results : DataFrame
        Rows of ``benchmarks/results/*.csv``: ``claim``, ``side``, ``role`` (ours, peer or floor), ``seconds`` (median),
        ``low`` and ``high`` (fastest and slowest run), ``times_ours`` (seconds over ours), ``unit``.
    ax : Axes, optional
        Where to draw; by default a new figure, taller the more sides there are.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    columns = ("claim", "side", "role", "seconds", "low", "high", "times_ours", "unit")
    ax = begin(ax, results, columns, what="plot_speed", size=(7.2, 1.4 + 0.34 * len(results)))
    results = results.reset_index(drop=True)
    for role, look in looks(ROLES, results["role"]).items():
        points(ax, results[results["role"] == role], look=look, x="seconds", size=7)
    ax.set_yticks(range(len(results)), results["side"])
    for start in results.index[results["claim"] != results["claim"].shift()][1:]:
        ax.axhline(start - 0.5, color="#BFBFBF", linewidth=0.8)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    if results["high"].max() < 30 * results["low"].min():  # else the powers of ten are enough
        ax.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        ax.xaxis.set_minor_formatter("{x:g}")
    else:
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.invert_yaxis()
    return finish(ax, title="", x="seconds (median, fastest, slowest)", y="", columns=3)


def describe_speed(results: pd.DataFrame) -> str:
    """Say in one sentence a claim how many times faster ours is than each peer."""
    sentences = []
    for claim, rows in results.groupby("claim", sort=False):
        peers = rows[rows["role"] == "peer"]
        against = [f"{_times(float(row.times_ours))} times as fast as {row.side}" for row in peers.itertuples()]
        if against:
            sentences.append(f"{claim}: {', '.join(against)}")
    return "Seconds of a unit of work. " + "; ".join(sentences) + "." if sentences else "Seconds of a unit of work."


speed = Figure(pd.DataFrame.copy, plot_speed, describe_speed)


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"
