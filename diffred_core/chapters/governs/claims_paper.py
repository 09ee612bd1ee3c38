"""Every claim of the abstract and of sections 3 and 4 of the paper, beside what the tables of this book say of it.

A claim about many models and tasks is judged by its mean over them; the interval is over models, resampled whole with
all their tasks, and the evidence counts the verdicts of the single ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.governs import claims, names, variance
from diffred_core.chapters.random_subsets.claims import (
    accuracy_is_kept,
    classes_pay_unequally,
    pca_beats_random,
    similarity_exceeds_inclusion,
)
from diffred_core.chapters.random_subsets.frontier import claims_by_task
from diffred_core.chapters.random_subsets.names import HEADLINE
from diffred_core.results import published, where
from diffred_core.results.claims import VERDICTS, Claim, Side, judge, on_average, percent, with_limits
from diffred_core.results.rows import KEYS

PROBES, SIMILARITY, FACTORS, TRAINING = "subset_probes", "subset_similarity", names.EXPERIMENT, "loss_and_regulariser"
LAYERS = "layers"
ANALYSES = (PROBES, SIMILARITY, FACTORS, TRAINING, LAYERS)  # whose tables are read, as far as there are some
Tables = Mapping[str, pd.DataFrame]
ClaimOfCell = Callable[..., Claim]
NOT_RUN = "not run here"
PAGES = {  # where the numbers stand, by the analysis
    PROBES: "Accuracy of random subsets",
    SIMILARITY: "Similarity of random subsets",
    FACTORS: "What governs redundancy: networks that differ in one thing",
    TRAINING: "Loss and regulariser",
    LAYERS: "Every layer, in and out of distribution",
}


def paper_claims(tables: Tables, *, level: float = 0.95) -> dict[str, Claim]:
    """Return the claims of the paper that the tables can judge, by the names of `published.redundancy_claims`.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Those of `ANALYSES` that there are, each of all models and tasks.
    level : float
        Coverage that the sweeps gave to their intervals, and that of those made here.
    """
    judged = {name: judge_by(tables, level=level) for name, (_, judge_by) in JUDGES.items()}
    return {name: replace(claim, name=name) for name, claim in judged.items() if claim is not None}


def claim_table(judged: Mapping[str, Claim]) -> pd.DataFrame:
    """Return a row a claim of the paper: what was published, what was measured and where, verdict, and what is missing.

    Parameters
    ----------
    judged : mapping of str to Claim
        Of `paper_claims`.

    Returns
    -------
    DataFrame
        Columns claim (with the part of the paper that makes it), published (with the class of the evidence), measured
        here (with the page), verdict, at full scale.
    """
    rows = []
    for row in published.redundancy_claims().to_dict("records"):
        claim = judged.get(row["name"])
        page = PAGES[JUDGES[row["name"]][0]] if claim else ""
        rows.append(
            {
                "claim": f"{row['statement']} ({row['part']})",
                "published": f"{row['published']} [{row['evidence']}]",
                "measured here": f"{claim.evidence} Page: {page}." if claim else NOT_RUN,
                "verdict": claim.verdict if claim else NOT_RUN,
                "at full scale": row["at_full_scale"],
            }
        )
    return pd.DataFrame(rows)


def _of_cells(analysis: str, claim: ClaimOfCell) -> Callable[..., Claim | None]:
    def judged(tables: Tables, *, level: float) -> Claim | None:
        if analysis not in tables:
            return None
        cells = {(str(t), str(m)): claim(rows, level=level) for (t, m), rows in tables[analysis].groupby(KEYS)}
        return on_average(cells, level=level)

    return judged


def _of_factor(factor: str, claim: ClaimOfCell, side: Side = "above") -> Callable[..., Claim | None]:
    """Return what judges a claim about one factor: over tasks, each with its own interval, none of which may differ."""

    def judged(tables: Tables, *, level: float) -> Claim | None:
        rows = where(tables[FACTORS], recipe=factor) if FACTORS in tables else pd.DataFrame()
        of_tasks = {str(task): claim(of_task, level=level) for task, of_task in _one_table_each(rows)}
        return over_tasks(of_tasks, side=side) if of_tasks else None

    return judged


def over_tasks(of_tasks: Mapping[str, Claim], *, side: Side) -> Claim:
    """Return the claim about all tasks: it holds where it holds on each, and fails where it fails on one.

    Value and limits are those of the task that is nearest to failing.
    """
    furthest = max if side == "below" else min
    worst = furthest(of_tasks.values(), key=lambda claim: claim.value)
    ends = {end: furthest(getattr(c, end) for c in of_tasks.values()) for end in ("low", "high")}
    parts = "; ".join(
        f"{task} {c.value:+.2f} ({c.low:+.2f} to {c.high:+.2f}): {c.verdict}" for task, c in of_tasks.items()
    )
    return judge(
        name=worst.name,
        statement=worst.statement,
        evidence=f"{parts}.",
        value=worst.value,
        low=ends["low"],
        high=ends["high"],
        limit=worst.limit,
        side=side,
    )


def _critical_mass_by_task(tables: Tables, *, level: float) -> Claim | None:
    rows = list(variance.share_rows(tables[PROBES], level=level)) if PROBES in tables else []
    shares = {r["method"]: r for r in rows if r["label"] == names.NEEDED and r["delta"] == claims.DELTA}
    if not shares:
        return None
    words = "; ".join(f"{s} {_percents(r)}" for s, r in shares.items())
    value, low, high = (float(str(shares[variance.TASK][name])) for name in ("value", "low", "high"))
    return judge(
        name="critical mass depends on the task",
        statement="the number of needed dimensions varies over tasks, whatever the model.",
        evidence=f"Variance of the number of dimensions (log2) that keeps {percent(claims.DELTA)}: {words}.",
        value=value,
        low=low,
        high=high,
    )


def _one_frontier(tables: Tables, *, level: float) -> Claim | None:
    of_tasks = dict(claims_by_task(tables[PROBES], level=level)) if PROBES in tables else {}
    return over_tasks(of_tasks, side="below") if of_tasks else None


def _inequality_follows_accuracy(tables: Tables, *, level: float, most: float = 0.25) -> Claim | None:
    """Judge whether networks share one curve of inequality against accuracy, on each task.

    Measured is the share of the variance of the logarithm of Gini, over sizes and models, that a smooth curve in the
    accuracy (a cubic) leaves; at most a quarter.
    """
    if PROBES not in tables:
        return None
    rows = where(tables[PROBES], probe=HEADLINE, method=names.RANDOM)
    means = rows[rows["metric"].isin([names.MEAN_ACCURACY, names.GINI]) & rows["repeat"].isna()]
    wide = means.pivot_table(index=[*KEYS, "fraction"], columns="metric", values="value").dropna().reset_index()
    left = {str(task): _left_by_curve(of_task) for task, of_task in wide.groupby("task")}
    if not left:
        return None
    worst = max(left, key=lambda task: left[task])
    values = list(left.values())
    mean, low, high = intervals.mean_interval(values, level=level)
    return judge(
        name="inequality follows accuracy",
        statement=f"accuracy explains all but {percent(most)} of how inequality varies over networks and sizes.",
        evidence=f"It leaves {percent(round(mean, 4))} of the variance, mean over {len(left)} tasks ({percent(level)} "
        f"interval {percent(round(low, 4))} to {percent(round(high, 4))}); most on {worst}: {left[worst]:.3f}.",
        value=mean,
        low=low,
        high=high,
        limit=most,
        side="below",
    )


def _left_by_curve(rows: pd.DataFrame) -> float:
    x, y = rows[names.MEAN_ACCURACY].to_numpy(float), np.log(rows[names.GINI].to_numpy(float) + 1e-4)
    residual = y - np.polynomial.Polynomial.fit(x, y, min(3, len(x) - 1))(x)
    return float((residual**2).sum() / max(((y - y.mean()) ** 2).sum(), 1e-12))


def _last_layer_leads(tables: Tables, *, level: float) -> Claim | None:
    """Judge whether the last layer beats as many units of all layers together, at the greatest number compared."""
    rows = where(tables[LAYERS], metric="last_layer_lead", method="random_hidden") if LAYERS in tables else None
    rows = None if rows is None else rows.dropna(subset=["low", "high"])
    if rows is None or rows.empty:
        return None
    largest = rows.loc[rows.groupby(KEYS)["n_selected"].idxmax()]
    of_cells = {
        f"{row['task']}, {row['model']}": judge(
            name="last layer leads",
            statement="random dimensions of the last layer are more accurate than as many of all layers together.",
            evidence="",
            **with_limits(row),
        )
        for _, row in largest.iterrows()
    }
    return over_tasks(of_cells, side="above")


def _of_training(name: str) -> Callable[..., Claim | None]:
    """Return what reads a claim that the training study has judged, of every network and task that it trained."""

    def judged(tables: Tables, *, level: float) -> Claim | None:
        rows = where(tables[TRAINING], metric="claim", method=name) if TRAINING in tables else pd.DataFrame()
        if rows.empty:
            return None
        return _weakest([(f"{row['model']} on {row['task']}", row) for _, row in rows.iterrows()], name)

    return judged


def _weakest(rows: Sequence[tuple[str, pd.Series]], name: str) -> Claim:
    """Return the claim of stored rows together, by the weakest verdict among them, with the numbers of that one."""
    weakest = max(rows, key=lambda one: VERDICTS.index(one[1]["label"]))[1]
    numbers = {where_from: tuple(float(row[end]) for end in ("value", "low", "high")) for where_from, row in rows}
    verdicts = {where_from: row["label"] for where_from, row in rows}
    parts = (f"{n} {v:+.3f} ({low:+.3f} to {high:+.3f}): {verdicts[n]}" for n, (v, low, high) in numbers.items())
    measured = {end: float(weakest[end]) for end in ("value", "low", "high")}
    evidence = f"Networks trained here: {'; '.join(parts)}."
    return Claim(name, name, evidence, **measured, limit=0.0, verdict=weakest["label"])


def _one_table_each(rows: pd.DataFrame) -> Sequence[tuple[str, pd.DataFrame]]:
    return [(str(task), of_task) for task, of_task in rows.groupby("task")] if len(rows) else []


def _percents(row: Mapping[str, object]) -> str:
    value, low, high = (f"{100 * float(str(row[name])):.0f}" for name in ("value", "low", "high"))
    return f"{value} % ({low} to {high})"


JUDGES: dict[str, tuple[str, Callable[..., Claim | None]]] = {
    "accuracy is kept": (PROBES, _of_cells(PROBES, accuracy_is_kept)),
    "similar beyond inclusion": (SIMILARITY, _of_cells(SIMILARITY, similarity_exceeds_inclusion)),
    "critical mass depends on the task": (PROBES, _critical_mass_by_task),
    "upstream data govern": (FACTORS, _of_factor(names.UPSTREAM, claims.factor_matters)),
    "architecture governs": (FACTORS, _of_factor(names.ARCHITECTURE, claims.factor_matters)),
    "wider is more redundant": (FACTORS, _of_factor(names.WIDTH, claims.wider_is_more_redundant, "below")),
    "critical mass is a number": (FACTORS, _of_factor(names.WIDTH, claims.need_is_a_number, "below")),
    "PCA beats random": (PROBES, _of_cells(PROBES, pca_beats_random)),
    "loss governs: adversarial training": (TRAINING, _of_training("adversarial training adds redundancy")),
    "dropout keeps redundancy": (TRAINING, _of_training("dropout keeps redundancy")),
    "DeCov keeps redundancy": (TRAINING, _of_training("DeCov keeps redundancy")),
    "Matryoshka is less redundant at random": (TRAINING, _of_training("Matryoshka is less redundant at random")),
    "last layer leads": (LAYERS, _last_layer_leads),
    "one frontier a task": (PROBES, _one_frontier),
    "classes pay unequally": (PROBES, _of_cells(PROBES, classes_pay_unequally)),
    "inequality follows accuracy": (PROBES, _inequality_follows_accuracy),
}
