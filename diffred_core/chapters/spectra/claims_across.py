"""What is claimed over all networks and tasks: the claims of single pages on average, and what measures predict."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from diffred_core.chapters.spectra import claims, names, relations
from diffred_core.chapters.spectra.cells import TARGETS
from diffred_core.chapters.spectra.reading import mean_at
from diffred_core.results import where
from diffred_core.results.claims import Claim, Side, judge, judge_exact, on_average, percent
from diffred_core.results.rows import KEYS

ByCell = Mapping[tuple[str, str], Sequence[Claim]]
TARGET_WORDS = {
    names.PART_ACCURACY: "accuracy at 20 %",
    names.REDUNDANCY: "diffused redundancy",
    names.FULL_ACCURACY: "accuracy of the layer",
}
FEW = 0.5  # of the width
PREDICTIONS = (  # what is fitted, what it is held against, and how that is said
    (names.BEST, names.MEAN, "a measure{} predicts", "than the mean of the other tasks"),
    (
        names.BEST_BESIDE,
        names.FULL_ACCURACY,
        "beside the full accuracy a measure{} predicts",
        "than that accuracy alone",
    ),
)


class PageClaim(NamedTuple):
    """A claim of the pages `spectra` about all of them: what is said, and where that puts the mean."""

    statement: str
    side: Side = "above"
    limit: float = 0.0


PAGE_CLAIMS = {  # by the names of `claims.all_claims`, without the share of the layer
    "labels lead": PageClaim(
        "the first C - 1 directions of a random part hold more of the label energy than of that of shuffled labels."
    ),
    "training aligns": PageClaim("they hold more of it than those of the network before training."),
    "few directions hold the labels": PageClaim(
        "at most half as many directions as the layer has dimensions hold 0.9 of the labels, in norm and in the span.",
        "below",
        FEW,
    ),
    "classes stay as tight": PageClaim(
        f"the classes of a random part are as tight as those of the layer, within {percent(claims.TIGHT)} (CDNV).",
        "within",
        claims.TIGHT,
    ),
    "axes do not matter": PageClaim(
        f"random dimensions are as accurate as as many of a rotated layer, within {100 * claims.AS_ACCURATE:g} point.",
        "within",
        claims.AS_ACCURATE,
    ),
    "little gradient is left": PageClaim(
        f"a probe on a random part leaves at most {percent(claims.LITTLE)} of the squared gradient to the layer.",
        "below",
        claims.LITTLE,
    ),
    "rougher": PageClaim("network and probe are rougher on a random part than on the layer (log ratio of complexity)."),
    "tail noise turns little": PageClaim(
        f"noise outside the leading directions turns at most {percent(claims.LITTLE / 10)} of the predictions.",
        "below",
        claims.LITTLE / 10,
    ),
    "domains stay apart": PageClaim(
        "a random part tells another domain from the task, beyond chance (proxy A-distance)."
    ),
    "warm start helps": PageClaim(
        "fine-tuning from the probe of the other domain has less risk than from 0 (log ratio)."
    ),
    "label alignment helps": PageClaim(
        "aligning labels makes a least-squares probe more accurate in the other domain."
    ),
    "domain adversary helps": PageClaim("training against a domain classifier makes a head more accurate there."),
}


def claims_by_cell(spectra: pd.DataFrame, *, level: float = 0.95) -> ByCell:
    """Return every claim of the pages `spectra`, by task and model, and that few directions hold the labels.

    Parameters
    ----------
    spectra : DataFrame
        Of `spectra.spectra`, any number of models and tasks.
    level : float
        Coverage of the intervals over draws.
    """
    cells = {}
    for (task, model), table in spectra.groupby(KEYS):
        cells[str(task), str(model)] = [*claims.all_claims(table, level=level), few_directions_hold_the_labels(table)]
    return cells


def few_directions_hold_the_labels(table: pd.DataFrame) -> Claim:
    """Return the claim that k(0.9) of the labels is small beside the width of the layer (Imani et al. 2024).

    Of the whole layer, which has no draws: at most half. The paper says rank; a numerical one depends on its tolerance.
    """
    needed, width = mean_at(table, names.RANK_OF_SPAN, fraction=1.0), int(table["n_features"].iloc[0])
    return judge_exact(
        name="few directions hold the labels",
        statement=PAGE_CLAIMS["few directions hold the labels"].statement,
        evidence=f"{needed:.0f} directions, {width} features.",
        value=needed / width,
        limit=FEW,
        side="below",
    )


def averages(table: pd.DataFrame, *, level: float = 0.95) -> Iterator[Claim]:
    """Yield the claims of `PAGE_CLAIMS` that the table of `across.summary_table` has of single pages, about their mean.

    Parameters
    ----------
    table : DataFrame
    level : float
        Coverage of the intervals, over models that are resampled with all their tasks.
    """
    rows = where(table, metric="claim")
    rows = rows[rows["task"] != names.ALL_TASKS]
    stems = rows["method"].map(stem)
    for name, average in PAGE_CLAIMS.items():
        of_cell = {
            (str(row.task), str(row.model)): _stored(row, name, average) for row in rows[stems == name].itertuples()
        }
        if of_cell:
            yield on_average(of_cell, side=average.side, level=level)


def _stored(row: Any, name: str, average: PageClaim) -> Claim:
    """Return the claim of one page as a row of the table holds it."""
    value, low, high = (float(getattr(row, end)) for end in ("value", "low", "high"))
    about: dict[str, Any] = {"name": name, "statement": average.statement, "evidence": "", "verdict": row.label}
    return Claim(**about, value=value, low=low, high=high, limit=average.limit)


def stem(name: str) -> str:
    """Return the name of a claim without the share that it was judged at."""
    return name.partition(" at ")[0]


def of_relations(table: pd.DataFrame) -> Iterator[Claim]:
    """Yield what is claimed of the relations in the table of `across.summary_table`: collapse, and predictions.

    Parameters
    ----------
    table : DataFrame
        Its rows of correlations and errors; of what it lacks nothing is claimed.
    """
    whole = where(table, layer=names.PENULTIMATE, fraction=1.0)
    nc1 = where(whole, metric=names.CORRELATION + names.FULL_ACCURACY, method=relations.WITHIN, label=names.NC1)
    if len(nc1):
        row = nc1.iloc[0]
        yield judge(
            name="collapse goes with accuracy",
            statement="of the networks on a task those with tighter classes (a lower NC1) are the more accurate.",
            evidence=f"The rank correlation within tasks is {_limits(row)}, {int(row['n'])} pairs of network and task.",
            value=-float(row["value"]),
            low=-float(row["high"]),
            high=-float(row["low"]),
        )
    for share, of in ((1.0, ""), (names.FRACTION, f" of a random {percent(names.FRACTION)}")):
        predicted = where(table, layer=names.PENULTIMATE, fraction=share)
        for target, (fitted, reference, name, words) in itertools.product(TARGETS[:2], PREDICTIONS):
            for _, row in where(predicted, metric=names.EXCESS + target, method=reference, label=fitted).iterrows():
                yield _predicts(row, f"{name.format(of)} the {TARGET_WORDS[target]}", target, words)


def of_all(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return the claims about all networks and tasks: `averages` and `of_relations`."""
    return [*averages(table, level=level), *of_relations(table)]


def _predicts(row: pd.Series, name: str, target: str, words: str) -> Claim:
    return judge(
        name=name,
        statement=f"a measure that is chosen on other tasks predicts the {TARGET_WORDS[target]} on a new task better "
        f"{words}.",
        evidence=f"The mean absolute error is less by, in points: {_limits(row, scale=-100)}.",
        value=-float(row["value"]),
        low=-float(row["high"]),
        high=-float(row["low"]),
    )


def _limits(row: pd.Series, *, scale: float = 1.0) -> str:
    value, low, high = (scale * float(row[name]) for name in ("value", "low", "high"))
    low, high = sorted((low, high))
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
