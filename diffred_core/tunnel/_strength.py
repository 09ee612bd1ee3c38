"""Words for how strong a tunnel is."""

from __future__ import annotations

from diffred_core.errors import InputError

STRENGTHS: dict[str, float] = {"negligible": 95.0, "weak": 90.0, "medium": 80.0, "strong": 0.0}
"""The least percentage retained of every strength (Harun et al. 2024): [95, 100], [90, 95), [80, 90), [0, 80)."""


def strength(percent: float) -> str:
    """Return the strength of a tunnel from the percentage of OOD performance retained (Harun et al. 2024).

    Parameters
    ----------
    percent : float
        From `percent_retained`; the published bins are for its mean over OOD sets.

    Returns
    -------
    str
        A key of `STRENGTHS`.

    Raises
    ------
    InputError
        A percentage outside [0, 100].
    """
    percent = float(percent)
    if not 0 <= percent <= 100:
        raise InputError(f"expected percent in [0, 100], got {percent:g}; pass a value of tunnel.percent_retained")
    return next(name for name, least in STRENGTHS.items() if percent >= least)
