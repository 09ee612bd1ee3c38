"""What the pages of the chapter found, in a sentence with its numbers, and the verdicts on their claims."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.embeddings import names
from diffred_core.chapters.embeddings.answers_published import compression_published as compression_published
from diffred_core.chapters.embeddings.decision import decide, share
from diffred_core.drawing import Answer
from diffred_core.results import where
from diffred_core.results.claims import Claim, judge

SURE = 0.05  # share of random subsets as good as the first k, below which prefixes are something special


def embedding_report(table: pd.DataFrame) -> Answer:
    """Return what to keep, what the next cheaper loses, and what was not tested.

    Parameters
    ----------
    table : DataFrame
        Of `embeddings.report`.

    Raises
    ------
    InputError
        If the table is no report.
    """
    decision = decide(table)
    notes = where(table, metric=names.NOTE)["label"].tolist()
    sentence = " ".join([decision.sentence, prefix_sentence(table), f"Not tested: {names.NOT_TESTED}.", *notes])
    numbers = {"kept": decision.words, "bytes": str(decision.n_bytes), "quality kept": share(decision.value)}
    return Answer(sentence, [_claim(table)], numbers)


def prefix_sentence(table: pd.DataFrame) -> str:
    """Return whether the vectors look trained for prefixes: the first k dimensions against random k."""
    tests = where(table, metric=names.PREFIX)
    if tests.empty:
        return ""
    surely = tests[tests["value"] < SURE]
    if len(surely) == len(tests):
        return "These vectors look trained for prefixes: the first k dimensions beat every random k, at all tested k."
    if surely.empty:
        return "Nothing says that these vectors were trained for prefixes: the first k dimensions are like random k."
    sizes = ", ".join(f"{int(k)}" for k in surely["n_selected"])
    return f"The first k dimensions beat random k at {sizes} only: training for prefixes is not clear."


def _claim(table: pd.DataFrame) -> Claim:
    decision = decide(table)
    limit = 1 - decision.tolerance
    return judge(
        name="within the tolerance",
        statement=f"What is kept loses at most {100 * decision.tolerance:g} % of the {decision.quality}.",
        evidence=f"{share(decision.value)} [{share(decision.low)}, {share(decision.high)}] on rows that chose nothing.",
        value=decision.value,
        low=decision.low,
        high=decision.high,
        limit=limit,
    )
