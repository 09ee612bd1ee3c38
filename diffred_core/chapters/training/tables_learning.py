"""Tables of the pages on what is learned first."""

from __future__ import annotations

from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.tables import numbers

pc_bias = numbers(
    {
        of.HALF_TIME_ORDER: "Spearman of half-time with falling eigenvalue",
        of.DEVIATION: "greatest deviation from the closed form",
        of.SLOWDOWN: "steps of shuffled labels over those of true ones",
    },
    "Order of half-times and distance from the closed form, by network.",
)
