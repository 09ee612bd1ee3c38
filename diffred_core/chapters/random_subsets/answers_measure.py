"""What the page of a measure found, whatever it measures."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets import names
from diffred_core.chapters.random_subsets.reading import measured_at
from diffred_core.drawing import Answer
from diffred_core.results import summarize
from diffred_core.results.claims import percent


def your_measure(table: pd.DataFrame, *, level: float = 0.95) -> Answer:
    """Return the measure at a tenth of the dimensions, of the whole layer, and of independent dimensions.

    Parameters
    ----------
    table : DataFrame
        Of `random_subsets.measure`, one model and task.
    level : float
        Coverage of the interval over draws.
    """
    summary = summarize(table, ["metric", "method", "fraction"], level=level)
    share, metric, values = measured_at(summary)
    random = summary[(summary["method"] == names.RANDOM) & (summary["fraction"] == share)].iloc[0]
    over = f" ({percent(level)} interval {random['low']:.3g} to {random['high']:.3g}, {random['n']} draws)"
    sentence = (
        f"A random {percent(share)} of the dimensions has a {metric} of {values[names.RANDOM]:.3g}"
        f"{over if pd.notna(random['low']) else ''}, the whole layer has {values[names.FULL]:.3g}. Independent "
        f"dimensions with the same values would have {values[names.SHUFFLED]:.3g} at {percent(share)}."
    )
    numbers = {
        f"{metric} at {percent(share)}": f"{values[names.RANDOM]:.3g}",
        "of the whole layer": f"{values[names.FULL]:.3g}",
        f"of independent dimensions at {percent(share)}": f"{values[names.SHUFFLED]:.3g}",
    }
    return Answer(sentence, [], numbers)
