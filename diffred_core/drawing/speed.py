"""The figure `speed`: time of this package, of its peers and of the floor, the step nobody can skip, by claim."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from diffred_core.drawing._show import Figure
from diffred_core.drawing.style import GREY, Look, begin, finish, looks, points, require
from diffred_core.results.readable import readable

ROLES = {
    "ours": Look("diffred_core", "#0072B2", "o"),
    "peer": Look("peer", "#D55E00", "s"),
    "floor": Look("floor: nobody can skip it", GREY, "|"),
}
COLUMNS = ("claim", "side", "role", "seconds", "low", "high", "times_ours", "unit")
LETTERS, CLAIM_LETTERS = 26, 46  # of a line of a side, and of a claim
ROW = 0.46  # inches
FEW_DECADES = 30  # the greatest over the least time below which 2 and 5 are marked too


def in_words(results: pd.DataFrame) -> pd.DataFrame:
    """Return results whose claims name tasks and networks as people do."""
    require(results, COLUMNS, what="plot_speed")
    return results.assign(claim=[" ".join(map(readable, claim.split(" "))) for claim in results["claim"]])


def plot_speed(results: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the milliseconds of one unit of work for every side of every claim, on a logarithmic axis.

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
    height = 1.4 + ROW * (len(results) + results["claim"].nunique())
    ax = begin(ax, results, COLUMNS, what="plot_speed", size=(5.8, height))
    rows = _in_places(results)
    for role, look in looks(ROLES, rows["role"]).items():
        points(ax, rows[rows["role"] == role], look=look, x="seconds", size=7)
    ax.set_yticks(rows.index, [textwrap.fill(side, LETTERS) for side in rows["side"]])
    for claim, of_claim in rows.groupby("claim", sort=False):
        words = textwrap.fill(str(claim), CLAIM_LETTERS)
        ax.text(0, of_claim.index[0] - 1, words, transform=ax.get_yaxis_transform(), va="center", weight="bold")
    for place, times in rows["times_ours"].items():
        ax.text(1.02, place, times_words(times), transform=ax.get_yaxis_transform(), va="center", fontsize=11)
    _time_axis(ax, rows)
    ax.set_ylim(rows.index[-1] + 0.6, -0.6)
    title = "bars: all runs; right: over ours"
    return finish(ax, title=title, x=f"ms per {_units(rows)} (log scale)", y="", columns=3)


def describe_speed(results: pd.DataFrame) -> str:
    """Say in one sentence a claim how many times faster ours is than each peer."""
    sentences = []
    for claim, rows in results.groupby("claim", sort=False):
        peers = rows[rows["role"] == "peer"]
        against = [f"{ratio_words(float(row.times_ours))} {row.side}" for row in peers.itertuples()]
        if against:
            sentences.append(f"{claim}: {', '.join(against)}")
    return "Time of a unit of work. " + "; ".join(sentences) + "." if sentences else "Time of a unit of work."


def head_speed(results: pd.DataFrame) -> str:
    """Return how many times as fast ours is as the fastest peer, over the claims; without peers, that there is none."""
    nearest = results[results["role"] == "peer"].groupby("claim", sort=False)["times_ours"].min().astype(float)
    if nearest.empty:
        return "No peer does the same work."
    low, high = (times_words(float(ratio)).removesuffix(" x") for ratio in (nearest.min(), nearest.max()))
    ratios = f"{low} times" if low == high else f"{low} to {high} times"
    slower = int((nearest < 1).sum())
    of = f"; slower in {slower} of {len(nearest)} comparisons" if slower else ""
    return f"{ratios} as fast as the fastest peer{of}."


def times_words(ratio: float) -> str:
    """Return a ratio of times: ``3.7 x``."""
    return f"{ratio:,.0f} x" if ratio >= 10 else f"{ratio:.1f} x" if ratio >= 1 else f"{ratio:.2f} x"


def ratio_words(ratio: float) -> str:
    """Return how fast ours is beside a peer that takes `ratio` as long: ``3.7 times as fast as``."""
    return f"{times_words(ratio).removesuffix(' x')} times as fast as"


def milliseconds(seconds: float) -> str:
    """Return a time in milliseconds, with three digits and thousands apart.

    Examples
    --------
    >>> milliseconds(0.0008194), milliseconds(3.586), milliseconds(1212)
    ('0.819', '3,586', '1,212,000')
    """
    value = 1000 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _in_places(results: pd.DataFrame) -> pd.DataFrame:
    """Return rows in milliseconds by their place, from the top down, with one left free above every claim."""
    rows = results.reset_index(drop=True)
    begins = rows["claim"] != rows["claim"].shift()
    times = 1000 * rows[["seconds", "low", "high"]].astype(float)
    return rows.assign(**times, times_ours=rows["times_ours"].astype(float)).set_index(rows.index + begins.cumsum())


def _time_axis(ax: Axes, rows: pd.DataFrame) -> None:
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    if rows["high"].max() < FEW_DECADES * rows["low"].min():  # else the powers of ten are enough
        ax.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        ax.xaxis.set_minor_formatter("{x:g}")
    else:
        ax.xaxis.set_minor_formatter(NullFormatter())


def _units(rows: pd.DataFrame) -> str:
    return " or ".join(dict.fromkeys(map(str, rows["unit"])))


speed = Figure(in_words, plot_speed, describe_speed, finding=head_speed)
