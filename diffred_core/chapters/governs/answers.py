"""What each page of the chapter found, in a sentence with its numbers, and the verdicts on its claims."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from diffred_core.chapters.governs import claims, names, variance
from diffred_core.chapters.governs.answers_training import loss_and_regulariser as loss_and_regulariser
from diffred_core.chapters.governs.claims_paper import PROBES, Tables
from diffred_core.drawing import Answer, counted
from diffred_core.results import published, where
from diffred_core.results.claims import Claim, percent
from diffred_core.results.readable import readable


def what_governs(table: pd.DataFrame, *, level: float = 0.95) -> Answer:
    """Return what a factor does to redundancy, and whether a number or a share of the dimensions is needed.

    Parameters
    ----------
    table : DataFrame
        Of `governs.what_governs`: one factor, one task.
    level : float
        As of `claims.all_claims`.

    Raises
    ------
    InputError
        If the table lacks what the claims are about.
    """
    factor, delta = table["recipe"].iloc[0], claims.DELTA
    judged, of_one = claims.all_claims(table, level=level), where(table, method=names.RANDOM, delta=delta)
    redundancy = where(of_one, metric=names.FIRST).sort_values("value")
    needs = 2 ** where(of_one, metric=names.NEEDED).set_index("model")["value"].astype(float)
    least, most = redundancy.iloc[0], redundancy.iloc[-1]
    task, first, last = (readable(name) for name in (table["task"].iloc[0], most["model"], least["model"]))
    sentence = (
        f"Of {len(redundancy)} networks that differ in {factor}, {first} is the most redundant on {task}: it can drop "
        f"{_percent(most['value'])} of its dimensions and keep {percent(delta)} of its accuracy, {last} "
        f"{_percent(least['value'])}. In numbers they need {needs[most['model']]:.0f} and "
        f"{needs[least['model']]:.0f} dimensions; over all networks {needs.min():.0f} to {needs.max():.0f}."
    )
    spread = where(table, method=names.SPREAD, metric=names.SHARE, delta=delta)["value"].item()
    numbers = {"factor": str(factor), "networks": str(len(redundancy)), "greatest difference": _percent(spread)}
    return Answer(sentence, judged, numbers)


def governs_summary(tables: Tables, judged: Mapping[str, Claim], *, level: float = 0.95) -> Answer:
    """Return how many claims of the paper hold at this scale, and what redundancy varies with.

    Parameters
    ----------
    tables, judged, level
        As of `across.summary_table`.
    """
    listed = len(published.redundancy_claims())
    counts = ", ".join(counted(judged.values()).values())
    sentence = f"Of {listed} claims {len(judged)} could be judged here{f': {counts}' if counts else ''}."
    shares = variance.share_rows(tables[PROBES], level=level) if PROBES in tables else ()
    of_need = [row for row in shares if row["label"] == names.NEEDED]
    parts = [f"{row['method']} {_percent(row['value'])}" for row in of_need if row["delta"] == claims.DELTA]
    if parts:
        kept = f"How many dimensions keep {percent(claims.DELTA)} of the accuracy"
        sentence += f" {kept} varies with: {', '.join(parts)} of the variance."
    return Answer(sentence, list(judged.values()))


def _percent(share: object) -> str:
    return f"{100 * float(str(share)):.0f} %"
