"""What the tables of all models and tasks say together: wide tables for figures, and one results table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pandas as pd

from diffred_core import results
from diffred_core.chapters import random_subsets
from diffred_core.chapters.random_subsets.sizes import REPORTED_DELTAS
from diffred_core.errors import InputError
from diffred_core.results.rows import Row

KEYS = ["task", "model"]
CLAIMS = (  # of which tables, and the claim
    ("probes", random_subsets.claims.accuracy_is_kept),
    ("similarity", random_subsets.claims.similarity_exceeds_inclusion),
    ("probes", random_subsets.claims.pca_beats_random),
    ("probes", random_subsets.claims.classes_pay_unequally),
)
SIMILARITY_FRACTIONS: tuple[float, ...] = (0.1, 0.2, 0.5)


def kept_accuracy(
    probes: pd.DataFrame, *, fraction: float = random_subsets.claims.FRACTION, probe: str = "ridge"
) -> pd.DataFrame:
    """Return one row for each task and model: accuracy of random subsets and of the full layer, and the gap.

    Parameters
    ----------
    probes : DataFrame
        Tables of subset_probes, one below the other.
    fraction : float
        Share of the features.
    probe : str
        Which probe.

    Returns
    -------
    DataFrame
        Columns task, model, fraction, mean, low, high, n, level (of the subsets), full, kept (mean over full), gap,
        gap_low, gap_high (paired bootstrap, in accuracy), n_selected, n_features.

    Raises
    ------
    InputError
        If no table has that fraction.
    """
    rows = probes[probes["probe"] == probe]
    random = _at(rows[rows["method"] == "random"], fraction)
    pairs = results.summarize(random, [*KEYS, "fraction"], metric="accuracy").set_index(KEYS)
    full = rows[(rows["method"] == "full") & (rows["metric"] == "accuracy")]
    pairs["full"] = full.groupby(KEYS)["value"].mean()
    pairs["kept"] = pairs["mean"] / pairs["full"]
    for name, metric in {"gap": "accuracy_gap", "gap_low": "accuracy_gap_low", "gap_high": "accuracy_gap_high"}.items():
        pairs[name] = random[random["metric"] == metric].groupby(KEYS)["value"].first()
    return pairs.join(random.groupby(KEYS)[["n_selected", "n_features"]].first()).reset_index()


def needed_fractions(
    probes: pd.DataFrame, *, deltas: Sequence[float] = REPORTED_DELTAS, probe: str = "ridge", method: str = "random"
) -> pd.DataFrame:
    """Return the smallest tested share of the features that keeps a share `delta` of the accuracy: 1 - DR.

    Parameters
    ----------
    probes : DataFrame
        Tables of subset_probes.
    deltas : sequence of float
        Shares of the full accuracy, among those of the tables.
    probe, method : str
        Which probe, and which way to keep features.

    Returns
    -------
    DataFrame
        Columns task, model, delta, first, nearest (diffused redundancy by both estimators) and fraction, 1 - first.
    """
    rows = probes[(probes["probe"] == probe) & (probes["method"] == method) & probes["delta"].isin(deltas)]
    metrics = {f"diffused_redundancy_{name}": name for name in ("first", "nearest")}
    rows = rows[rows["metric"].isin(metrics)].assign(metric=lambda t: t["metric"].map(metrics))
    wide = rows.pivot_table(index=[*KEYS, "delta"], columns="metric", values="value").reset_index()
    return wide.rename_axis(columns=None).assign(fraction=1 - wide["first"])


def similarity_at(similarity: pd.DataFrame, *, fractions: Sequence[float] = SIMILARITY_FRACTIONS) -> pd.DataFrame:
    """Return debiased CKA of random subsets with the layer, and that of uncorrelated features, at some shares.

    Parameters
    ----------
    similarity : DataFrame
        Tables of subset_similarity.
    fractions : sequence of float
        Shares of the features.

    Returns
    -------
    DataFrame
        Columns task, model, fraction, mean, low, high, n, level and null.
    """
    rows = pd.concat([_at(similarity, fraction) for fraction in fractions])
    by = [*KEYS, "fraction"]
    found = results.summarize(rows[rows["method"] == "subset_whole"], by, metric="cka_debiased").set_index(by)
    found["null"] = results.summarize(rows[rows["method"] == "diagonal_null"], by).set_index(by)["mean"]
    return found.reset_index()


def frontier(probes: pd.DataFrame, *, task: str, probe: str = "ridge") -> pd.DataFrame:
    """Return accuracy of random subsets against their size for every model, and which points nobody beats.

    Parameters
    ----------
    probes : DataFrame
        Tables of subset_probes.
    task, probe : str
        Which task and which probe.

    Returns
    -------
    DataFrame
        Columns model, n_selected, mean, low, high, n, level and frontier: whether no model is at least as accurate with
        fewer features, or more accurate with as many.
    """
    rows = probes[(probes["task"] == task) & (probes["probe"] == probe) & probes["method"].isin(("random", "full"))]
    found = results.summarize(rows, ["model", "n_selected"], metric="accuracy")
    found = found.sort_values(["n_selected", "mean"], ascending=[True, False], ignore_index=True)
    best_before = found["mean"].cummax().shift(fill_value=-1.0)
    return found.assign(frontier=found["mean"] > best_before)


def claims_by_cell(probes: pd.DataFrame, similarity: pd.DataFrame) -> pd.DataFrame:
    """Return every published claim held against every model and task.

    Returns
    -------
    DataFrame
        Columns task, model, name, verdict, value, low, high, limit, statement, evidence.
    """
    rows = []
    for table, made in CLAIMS:
        for (task, model), cell in (probes if table == "probes" else similarity).groupby(KEYS):
            rows.append({"task": task, "model": model, **vars(made(cell))})
    return pd.DataFrame(rows)


def summary_table(probes: pd.DataFrame, similarity: pd.DataFrame) -> pd.DataFrame:
    """Return the results table of the summary: what the book states across models and tasks.

    Returns
    -------
    DataFrame
        Metrics accuracy_subset (_low, _high), accuracy_full, diffused_redundancy_first and _nearest, cka_subset (_low,
        _high), cka_null, and one ``claim_...`` a claim, its value the measurement and its label the verdict.
    """
    widths = probes.groupby(KEYS)["n_features"].first()
    measured = itertools.chain(
        _accuracy_rows(probes),
        _redundancy_rows(probes),
        _similarity_rows(similarity),
        _claim_rows(claims_by_cell(probes, similarity)),
    )
    shared = {"layer": "penultimate", "method": "random", "experiment": "summary"}
    return results.as_table([shared | {"n_features": widths[row["task"], row["model"]]} | row for row in measured])


def _accuracy_rows(probes: pd.DataFrame) -> Iterator[Row]:
    names = {"mean": "accuracy_subset", "low": "accuracy_subset_low", "high": "accuracy_subset_high"}
    names["full"] = "accuracy_full"
    for row in kept_accuracy(probes).to_dict("records"):
        yield from _long(row, ("task", "model", "fraction"), names, probe="ridge")


def _redundancy_rows(probes: pd.DataFrame) -> Iterator[Row]:
    names = {name: f"diffused_redundancy_{name}" for name in ("first", "nearest")}
    for row in needed_fractions(probes, deltas=probes["delta"].dropna().unique()).to_dict("records"):
        yield from _long(row, ("task", "model", "delta"), names, probe="ridge")


def _similarity_rows(similarity: pd.DataFrame) -> Iterator[Row]:
    names = {"mean": "cka_subset", "low": "cka_subset_low", "high": "cka_subset_high", "null": "cka_null"}
    for row in similarity_at(similarity).to_dict("records"):
        yield from _long(row, ("task", "model", "fraction"), names)


def _claim_rows(found: pd.DataFrame) -> Iterator[Row]:
    for row in found.to_dict("records"):
        metric = f"claim_{row['name'].lower().replace(' ', '_')}"
        who = {"task": row["task"], "model": row["model"], "label": row["verdict"]}
        yield who | {"metric": metric, "value": row["value"]}


def _long(row: Row, keys: Sequence[str], names: dict[str, str], probe: str | None = None) -> Iterator[Row]:
    who = {key: row[key] for key in keys} | {"probe": probe}
    for column, metric in names.items():
        yield who | {"metric": metric, "value": row[column]}


def _at(table: pd.DataFrame, fraction: float) -> pd.DataFrame:
    found = table[table["fraction"] == fraction]
    if found.empty:
        known = ", ".join(f"{f:g}" for f in sorted(table["fraction"].dropna().unique()))
        raise InputError(f"fraction must be one of {known or 'none: the table is empty'}, got {fraction}")
    return found
