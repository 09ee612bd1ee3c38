"""What a published claim is, and when an interval says that it holds.

A claim holds where its whole interval is on the right side of the limit, fails where the whole interval is on the
wrong side, and is undecided where the interval contains the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from diffred_core import intervals


@dataclass(frozen=True)
class Claim:
    """A statement about one table, what was measured, and the verdict.

    Attributes
    ----------
    name : str
        Short, for tables.
    statement : str
        What is claimed.
    evidence : str
        The numbers.
    value, low, high, limit : float
        The measurement with its interval, and the limit that the claim is about.
    verdict : str
        ``holds``, ``fails`` or ``undecided``.
    """

    name: str
    statement: str
    evidence: str
    value: float
    low: float
    high: float
    limit: float
    verdict: str

    def __str__(self) -> str:
        return f"**{self.verdict.capitalize()}:** {self.statement} {self.evidence}"


def above_zero(
    name: str,
    statement: str,
    measured: str,
    differences: ArrayLike,
    *,
    level: float = 0.95,
    digits: int = 3,
    over: str = "draws",
) -> Claim:
    """Return the claim that the mean of `differences` is above 0, with its Student t interval.

    Parameters
    ----------
    name, statement : str
        As in `Claim`.
    measured : str
        What the difference is of; the difference itself is put behind it.
    differences : array-like (n_repeats,)
        One a repeat; a single one has no interval, and leaves the claim undecided.
    level : float
    digits : int
        Decimal places of the numbers.
    over : str
        What the repeats are, in the plural.
    """
    value, low, high = intervals.mean_interval(differences, level=level)
    numbers = [f"{number:+.{digits}f}" for number in (value, low, high)]
    spread = f"{_percent(level)} interval {numbers[1]} to {numbers[2]} over {over}"
    evidence = f"{measured}: {numbers[0]}, {spread if low == low else f'without an interval: one of the {over}'}."
    return Claim(name, statement, evidence, value, low, high, 0.0, verdict(low, high, 0.0, below=False))


def verdict(low: float, high: float, limit: float, *, below: bool) -> str:
    """Return ``holds``, ``fails`` or ``undecided`` for an interval claimed to lie above `limit`, or `below` it."""
    right, wrong = (high <= limit, low > limit) if below else (low > limit, high <= limit)
    return "holds" if right else "fails" if wrong else "undecided"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
