"""Axes of the chapter's figures: logarithmic ones with plain numbers, shares in percent."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

FEW_DECADES = 50  # the greatest over the least value of an axis below which 2 and 5 are marked too
MOST_PLACES = 9  # whole numbers that are marked each
FEW_PLACES = 5  # places of any kind that are
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def scale(ax: Axes, x: pd.Series, rows: pd.DataFrame, *, log: str, shares: str) -> None:
    """Make the chosen axes of a panel logarithmic; one that begins at 0 is linear up to its next place.

    Parameters
    ----------
    ax : Axes
    x : Series
        Places of the panel.
    rows : DataFrame
        Columns mean and low, of all panels.
    log, shares : str
        Axes that are logarithmic, and whose values are shares: ``x``, ``y`` or ``xy``.
    """
    if "x" in log:
        _log_places(ax, x)
    if "y" in log:
        ax.set_yscale("log")
    elif rows["mean"].min() >= 0 > rows["low"].min():  # what cannot be negative is not drawn so
        ax.set_ylim(bottom=0)
    for name, values in (("x", x), ("y", rows["mean"])):
        _ticks(getattr(ax, f"{name}axis"), values, share=name in shares)
    _mark_places(ax, x, log="x" in log, share="x" in shares)


def _log_places(ax: Axes, x: pd.Series) -> None:
    positive = x[x > 0]
    if len(positive) == len(x):
        ax.set_xscale("log")
        return
    ax.set_xscale("symlog", linthresh=positive.min())
    ax.set_xlim(left=0)
    low, high = np.log10([positive.min(), positive.max()])
    ax.set_xticks([0, *10.0 ** np.arange(np.ceil(low), np.floor(high) + 1)])


def number(value: float, *, share: bool = False) -> str:
    """Return a value of an axis: shares in percent, and no exponent but a power of ten.

    Examples
    --------
    >>> number(0.05, share=True), number(1e-6), number(0.001), number(20_000)
    ('5', '10⁻⁶', '0.001', '20,000')
    """
    value = 100 * value if share else value
    if 0 < abs(value) < 1e-3:
        mantissa, exponent = f"{value:.0e}".split("e")
        power = f"10{str(int(exponent)).translate(_RAISED)}"
        return power if mantissa == "1" else f"{mantissa}·{power}"
    return f"{value:,.6g}" if abs(value) >= 10_000 else f"{value:.6g}"


def _ticks(axis: Axis, values: pd.Series, *, share: bool) -> None:
    words = FuncFormatter(lambda value, _: number(value, share=share))
    axis.set_major_formatter(words)
    if axis.get_scale() == "log":
        few = values.min() > 0 and values.max() < FEW_DECADES * values.min()  # else the powers of ten are enough
        axis.set_minor_locator(LogLocator(subs=(2, 5) if few else (1.0,)))
        axis.set_minor_formatter(words if few else NullFormatter())


def _mark_places(ax: Axes, x: pd.Series, *, log: bool, share: bool) -> None:
    places = sorted(x.unique())
    whole = all(place == int(place) for place in places)
    if len(places) <= (MOST_PLACES if whole and log else FEW_PLACES):
        ax.set_xticks(places, [number(place, share=share) for place in places])
        ax.xaxis.set_minor_locator(NullLocator())
