"""A table of the chapter made ready for claims, figures and tables: words of its metrics, and its rows at one share."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets.reading import at_shares
from diffred_core.chapters.spectra import names
from diffred_core.errors import InputError
from diffred_core.results import where

WORDS = {  # of metrics, in the order in which they are shown
    names.TOP_ENERGY: "label energy, first C - 1 directions",
    names.ENERGY: "label energy, all directions",
    names.RANK_OF_SPAN: "k(0.9) of the labels in the span",
    names.RANK_OF_LABELS: "k(0.9) of all label energy",
    names.LABEL_CKA: "CKA with the labels",
    names.TARGET_ALIGNMENT: "kernel-target alignment",
    names.SEPARATION: "class separation R²",
    names.CDNV: "CDNV",
    names.NC1: "NC1",
    names.NC2: "NC2",
    names.NC3: "NC3",
    names.NC4: "NC4",
    names.DIMENSIONS: "dimensions per class",
    names.DIVERSITY: "task diversity",
    names.ACCURACY: "accuracy, ridge probe",
    names.GRADIENT_LEFT: "gradient left (GradMax)",
    names.PROBE_COMPLEXITY: "complexity of the probe",
    names.COMPLEXITY: "complexity, network and probe",
    names.TRANSVERSE: "transverse share of the probe",
    names.FLIPS: "predictions turned by tail noise",
    names.NUMERICAL_RANK: "numerical rank",
    names.STABLE_RANK: "stable rank",
    names.RANKME: "RankMe",
    names.ENTROPY: "batch entropy (nats)",
    names.DISTANCE: "proxy A-distance",
    names.WARM_START: "warm-start risk over that from 0",
}
SHARES = {  # metrics that are shares, and shown in percent
    *(names.TOP_ENERGY, names.ENERGY, names.ACCURACY, names.GRADIENT_LEFT, names.TRANSVERSE, names.FLIPS, names.NC4),
}
MEASURES = WORDS | {names.SIMILARITY: "CKA with the layer (test images)", names.WIDTH: "width of the layer"}
PROBE_WORDS = {
    names.COMMONEST: "commonest class",
    names.LEAST_SQUARES: "least squares",
    names.STOPPED: "least squares, stopped early",
    names.RIDGE: "ridge",
    names.LABEL_ALIGNED: "label alignment",
    names.ALIGNED_STOPPED: "label alignment, stopped early",
    names.ORACLE: "ridge on its own labels",
    names.HEAD: "trained head",
    names.DANN: "domain-adversarial head (DANN)",
    names.HEAD_ORACLE: "trained head on its own labels",
}
RULE_WORDS = {
    names.FIXED: "fixed",
    names.SOURCE_VALIDATION: "source validation",
    names.REVERSE_VALIDATION: "reverse validation",
    names.TARGET_LABELS: "the target's labels",
}
METHOD_WORDS = {
    names.RANDOM: "random part",
    names.SHUFFLED: "shuffled labels",
    names.ROTATED: "rotated layer",
    names.UNTRAINED: "untrained network",
}


def shown_as(metric: str) -> str:
    """Return the words of a metric with its unit where it has one."""
    return f"{WORDS[metric]} (%)" if metric in SHARES else WORDS[metric]


def at_share(table: pd.DataFrame, metric: str, *, method: str = names.RANDOM, fraction: float) -> pd.DataFrame:
    """Return the rows of a metric and method at the measured share that is nearest to `fraction`.

    Raises
    ------
    InputError
        If there are none.
    """
    rows = where(table, metric=metric, method=method)
    rows = rows[rows["fraction"].notna()]
    if rows.empty:
        raise InputError(f"expected {metric} of {method}, got no such row; run the sweep of this chapter with it")
    return at_shares(rows, [fraction])


def mean_at(table: pd.DataFrame, metric: str, *, method: str = names.RANDOM, fraction: float) -> float:
    """Return the mean of `at_share` over draws."""
    return float(at_share(table, metric, method=method, fraction=fraction)["value"].mean())


def draws_at(table: pd.DataFrame, metric: str, *, method: str = names.RANDOM, fraction: float) -> pd.Series:
    """Return the values of `at_share` by draw."""
    rows = at_share(table, metric, method=method, fraction=fraction)
    return rows.set_index("repeat")["value"].astype(float).sort_index()


def targets_of(table: pd.DataFrame) -> list[str]:
    """Return the targets of a table of `adaptation` in their order; that which is no shift last.

    Raises
    ------
    InputError
        If it is a table of another sweep.
    """
    targets = where(table, experiment=names.ADAPTATION)["label"].unique().tolist()
    if not targets:
        raise InputError("expected a table of adaptation, got one of another sweep; run spectra.adaptation")
    return [name for name in targets if name != names.NO_SHIFT] + [names.NO_SHIFT]


def reached_on(
    table: pd.DataFrame,
    target: str,
    probe: str,
    *,
    recipe: str | None = None,
    label_shift: float = 0.0,
    fraction: float = names.FRACTION,
) -> pd.Series:
    """Return what a probe reaches on a target at the share nearest to `fraction`, by draw.

    Parameters
    ----------
    table : DataFrame
        Of `spectra.adaptation`.
    target, probe : str
    recipe : str, optional
        The rule that has chosen its options; by default that of `names.CHOSEN`.
    label_shift, fraction : float

    Raises
    ------
    InputError
        If there is no such row.
    """
    rows = where(table, probe=probe, recipe=recipe or names.CHOSEN[probe], label=target, delta=label_shift)
    return draws_at(rows, names.TARGET_ACCURACY, fraction=fraction)
