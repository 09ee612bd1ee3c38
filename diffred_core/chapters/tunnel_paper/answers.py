"""What the page of the published statistics found, in a sentence with its numbers, and the verdicts on its claims."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.tunnel_paper import claims
from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS
from diffred_core.chapters.tunnel_paper.names import DIGIT_VERDICTS, LEVEL, MEASURES
from diffred_core.chapters.tunnel_paper.printed import comparison_frame, replay
from diffred_core.drawing import Answer
from diffred_core.results.claims import percent


def tunnel_statistics(table: pd.DataFrame) -> Answer:
    """Return how many printed numbers come out, how many effects are clear over networks, and what is explained.

    Parameters
    ----------
    table : DataFrame
        Of `tunnel_paper.statistics`.
    """
    numbers = replay(table).query("side != 'file_order'")["verdict"]
    equal, rounding, differs = (int((numbers == verdict).sum()) for verdict in DIGIT_VERDICTS)
    effects = comparison_frame(table, COMPARISONS).query("measure == @claims.MEASURE").dropna(subset="low")
    clear = int(((effects["low"] > 0) | (effects["high"] < 0)).sum())
    rows = table[(table["method"] == "regression") & (table["label"] == claims.MEASURE)].set_index("metric")["value"]
    sentence = (
        f"Of {len(numbers)} printed numbers {equal} come out to the last digit, {rounding} within rounding, and "
        f"{differs} differ. With pairs of networks as the unit, {clear} of {len(effects)} effects on "
        f"{MEASURES[claims.MEASURE]} have a {percent(LEVEL)} interval without zero. The predictors explain it with an "
        f"R² of {rows['r2']:.2f} in-sample and {rows['r2_held_out']:.2f} on combinations held out."
    )
    return Answer(sentence, claims.all_claims(table))
