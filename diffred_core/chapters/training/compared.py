"""Headings of the chapter's figures: a declaration says what is compared, numbers choose the words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from diffred_core.chapters.training import names
from diffred_core.results import where
from diffred_core.results.readable import value_words

Line = str | int
"""The name of a line in the table, or its place among the lines of the panel."""
EQUAL = 0.005  # of a ratio, up to which two numbers are said to be as much


class Compared(Protocol):
    """What a figure compares."""

    def sentence(self, summary: pd.DataFrame, shares: str) -> str:
        """Return the heading from the summary of a figure; `shares` names the axes that are in percent."""


@dataclass(frozen=True)
class Pair:
    """Two lines at one place.

    Attributes
    ----------
    first, second : str or int
        Lines; as second `names.THEORY` is the closed form of the first.
    at : float
        The place: the nearest that both have.
    words : str
        The heading, with ``{x}`` for the place, ``{value}`` for that of the first line, and ``{than}`` for how it
        compares with the second.
    panel : str, optional
        By default the first.
    """

    first: Line
    second: Line
    at: float
    words: str
    panel: str | None = None

    def sentence(self, summary: pd.DataFrame, shares: str) -> str:
        """Return the value of the first line, and by how much it is above or below that of the second."""
        rows = panel_of(summary, self.panel)
        first, second = line_of(rows, self.first), line_of(rows, self.second)
        if self.second == names.THEORY:
            first, second = measured(first), first[first["formula"]]
        one, other = _nearest(first, second, self.at)
        than = _than(one, other, share="y" in shares)
        numbers = {"x": value_words(one["x"], share="x" in shares)}
        numbers |= {"value": value_words(one["mean"], share="y" in shares), "than": than}
        return self.words.format(**numbers) + _doubt(one, other) + "."


@dataclass(frozen=True)
class Ends:
    """Where a line begins and ends, in one panel or several.

    Attributes
    ----------
    words : mapping
        The part of the heading about each panel, with ``{moves}`` for the values, ``{first}`` and ``{last}`` for their
        places.
    line : str or int
    """

    words: Mapping[str, str]
    line: Line = 0

    def sentence(self, summary: pd.DataFrame, shares: str) -> str:
        """Return whether the line falls, rises or stays, and its values."""
        parts, doubts = [], []
        for panel, words in self.words.items():
            rows = measured(line_of(panel_of(summary, panel), self.line))
            first, last = rows.iloc[0], rows.iloc[-1]
            places = {
                end: value_words(row["x"], share="x" in shares) for end, row in (("first", first), ("last", last))
            }
            parts.append(words.format(moves=_moves(first, last, share="y" in shares), **places))
            doubts.append(_doubt(first, last))
        if len(set(doubts)) > 1:
            parts = [part + doubt for part, doubt in zip(parts, doubts, strict=True)]
        return f"{', '.join(parts)}{doubts[0] * (len(set(doubts)) == 1)}."


@dataclass(frozen=True)
class HalfWay:
    """Where two lines are half way from their first value to their last.

    Attributes
    ----------
    first, second : str or int
        Lines.
    words : str
        The heading, with ``{x}`` and ``{other}`` for the places and ``{order}`` for which is before.
    panel : str, optional
        By default the first.
    """

    first: Line
    second: Line
    words: str
    panel: str | None = None

    def sentence(self, summary: pd.DataFrame, shares: str) -> str:
        """Return where the first line is half way, and whether that is before the second."""
        rows = panel_of(summary, self.panel)
        x, other = (half_way(measured(line_of(rows, line))) for line in (self.first, self.second))
        order = "before" if x < other else "after" if x > other else "together with"
        first, second = (value_words(place, share="x" in shares) for place in (x, other))
        return self.words.format(x=first, other=second, order=order) + "."


@dataclass(frozen=True)
class Gaps:
    """How far two lines are apart at one place, in several panels; their values are shares.

    Attributes
    ----------
    first, second : str or int
        Lines.
    at : float
        The place: the nearest that both have.
    words : mapping
        The part of the heading about each panel, with ``{x}`` for the place and ``{gap}``.
    """

    first: Line
    second: Line
    at: float
    words: Mapping[str, str]

    def sentence(self, summary: pd.DataFrame, shares: str) -> str:
        """Return by how many points the first line is ahead of the second, or behind it, in each panel."""
        parts = []
        for panel, words in self.words.items():
            rows = panel_of(summary, panel)
            one, other = _nearest(line_of(rows, self.first), line_of(rows, self.second), self.at)
            points = 100 * (one["mean"] - other["mean"])
            gap = f"{abs(points):.1f} points {'ahead' if points >= 0 else 'behind'}"
            parts.append(words.format(x=value_words(one["x"], share="x" in shares), gap=gap))
        return f"{', '.join(parts)}."


def panel_of(summary: pd.DataFrame, panel: str | None) -> pd.DataFrame:
    """Return the rows of a panel, by default of the first."""
    return where(summary, panel=summary["panel"].iloc[0] if panel is None else panel)


def line_of(rows: pd.DataFrame, line: Line) -> pd.DataFrame:
    """Return the rows of a line of one panel."""
    if line == names.THEORY:
        return rows
    name = list(dict.fromkeys(rows["series"]))[line] if isinstance(line, int) else names.in_words(line)
    return where(rows, series=name).sort_values("x")


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what was simulated of a line."""
    return rows[~rows["formula"]]


def half_way(rows: pd.DataFrame) -> float:
    """Return the first place at which a line has made half of its way from its first value to its last."""
    first, last = rows["mean"].iloc[0], rows["mean"].iloc[-1]
    done = (rows["mean"] - first) * (1 if last >= first else -1) >= abs(last - first) / 2
    return float(rows["x"][done].iloc[0])


def _nearest(first: pd.DataFrame, second: pd.DataFrame, at: float) -> tuple[pd.Series, pd.Series]:
    """Return the rows of two lines at the place nearest to `at` that both have, measured rather than of a formula."""
    one, other = (rows.sort_values("formula").drop_duplicates("x").set_index("x") for rows in (first, second))
    places = one.index.intersection(other.index)
    x = min(places, key=lambda place: abs(place - at))
    rows = [rows.loc[x].copy() for rows in (one, other)]
    for row in rows:
        row["x"] = x
    return rows[0], rows[1]


def _than(one: pd.Series, other: pd.Series, *, share: bool) -> str:
    """Return how one value compares with another: in points where they are shares, else as a ratio."""
    if share:
        points = 100 * (one["mean"] - other["mean"])
        return (
            f"{abs(points):.1f} points {'more' if points >= 0 else 'less'} than"
            if abs(points) >= 0.05
            else "as much as"
        )
    if min(one["mean"], other["mean"]) <= 0:
        return "more than that of" if one["mean"] > other["mean"] else "less than that of"
    ratio = one["mean"] / other["mean"]
    if abs(ratio - 1) <= EQUAL:
        return "equal to that of"
    return (
        f"{ratio:,.0f} times that of"
        if ratio >= 10
        else f"{ratio:.2g} times that of"
        if ratio > 1
        else f"{100 * ratio:.2g} % of that of"
    )


def _moves(first: pd.Series, last: pd.Series, *, share: bool) -> str:
    """Return a verb and both values; where they are one when they are written, that value."""
    values = [value_words(row["mean"], share=share) for row in (first, last)]
    if values[0] == values[1]:
        return f"stays at {values[0]}"
    verb = "rises" if last["mean"] > first["mean"] else "falls"
    return f"{verb} from {values[0].removesuffix(' %')} to {values[1]}"


def _doubt(one: pd.Series, other: pd.Series) -> str:
    """Return a note where each of two means lies in the interval of the other."""
    doubt = all(a["low"] <= b["mean"] <= a["high"] for a, b in ((one, other), (other, one)))
    return " (intervals overlap)" if doubt else ""
