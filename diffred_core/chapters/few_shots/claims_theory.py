"""The four formulas of the theory held against simulation."""

from __future__ import annotations

import pandas as pd
from scipy import stats

from diffred_core.chapters.few_shots.names import EXACT
from diffred_core.chapters.few_shots.reading import theory_errors, theory_rows
from diffred_core.results import where
from diffred_core.results.claims import Claim, judge_exact

CLOSE = 0.06  # the error that the approximation is said to keep below
SIGNAL = 3.0  # standard errors from which a difference of two errors counts as one


def theory(table: pd.DataFrame) -> list[Claim]:
    """Return the verdicts on formulas (5) to (8) of the page on theory.

    Parameters
    ----------
    table : DataFrame
        Of `few_shots.theory`.
    """
    errors, exact = theory_errors(table), where(theory_rows(table), recipe=EXACT)
    helps = where(table, metric="helps").set_index(["label", "n_shot"])["value"]
    return [_exact(errors), _approximation(errors), _criterion(exact, helps), _mask(exact)]


def _exact(errors: pd.DataFrame) -> Claim:
    largest = float(errors["deviation"].abs().max())
    limit = float(stats.norm.ppf(1 - 0.025 / len(errors)))
    statement = "the error given the prototypes, averaged over prototypes, is the simulated one."
    evidence = f"Of {len(errors)} cases the largest deviation is {largest:.1f} standard errors; {limit:.1f} is chance."
    return _below("(5) exact error", statement, evidence, largest, limit)


def _approximation(errors: pd.DataFrame) -> Claim:
    off = (errors["approximated"] - errors["exact"]).abs()
    worst, late = float(off.max()), float(off[errors["n_shot"] >= 100].max())
    statement = f"the normal approximation of the error is off by at most {CLOSE:g}."
    evidence = f"Of {len(errors)} cases it is off by at most {worst:.3f}, and by {late:.3f} from 100 shots."
    return _below("(6) approximation", statement, evidence, worst, CLOSE)


def _criterion(exact: pd.DataFrame, helps: pd.Series) -> Claim:
    pairs, values = exact[exact["label"] != ""], ["value", "standard_error"]
    wide = pairs.pivot(index=["label", "n_shot"], columns="method", values=values)
    gain, noise = wide["value", "first"] - wide["value", "both"], wide["standard_error"]
    # conservative: both errors are averages over the same prototypes
    clear = gain.abs() > SIGNAL * (noise["first"] ** 2 + noise["both"] ** 2) ** 0.5
    wrong = int(((gain > 0) != (helps.reindex(gain.index) > 0))[clear].sum())
    statement, n_clear = "the criterion names the dimensions that lower the error.", int(clear.sum())
    evidence = f"Of {n_clear} cases whose difference is beyond the error of the simulation it is wrong in {wrong}."
    return _below("(7) which dimensions help", statement, evidence, float(wrong), 0.0)


def _mask(exact: pd.DataFrame) -> Claim:
    wide = where(exact, label="")
    lost = []
    for _, rows in wide.groupby("n_shot"):
        mask = rows["method"] == "mask_theory"
        lost.append(float(rows.loc[mask, "value"].item() - rows.loc[~mask, "value"].min()))
    tolerance = SIGNAL * float(wide["standard_error"].max())
    evidence = (
        f"Over {len(lost)} numbers of shots it is behind the best other by at most {max(*lost, 0.0):.4f}, with "
        f"{tolerance:.4f} as the error of the simulation."
    )
    return _below("(8) best mask", "no other mask and no subset has a smaller error.", evidence, max(lost), tolerance)


def _below(name: str, statement: str, evidence: str, value: float, limit: float) -> Claim:
    return judge_exact(name=name, statement=statement, evidence=evidence, value=value, limit=limit, side="below")
