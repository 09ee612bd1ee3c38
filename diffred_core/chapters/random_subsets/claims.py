"""The claims of Nanda et al. (2023) held against a table of one model and task."""

from __future__ import annotations

import pandas as pd

from diffred_core.errors import InputError
from diffred_core.results.claims import Claim, above_zero, verdict

FRACTION, TOLERANCE = 0.2, 0.05  # "20 % of the neurons within 5 % of the full layer" (Nanda et al. 2023, abstract)


def accuracy_is_kept(
    table: pd.DataFrame,
    *,
    fraction: float = FRACTION,
    tolerance: float = TOLERANCE,
    probe: str = "ridge",
    level: float = 0.95,
) -> Claim:
    """Return the claim that random subsets lose at most `tolerance` (points of accuracy) of the full layer.

    Parameters
    ----------
    table : DataFrame
        Of subset_probes, one model and task.
    fraction, tolerance : float
        Share of features, and loss in points (0.05 is five points).
    probe : str
        Which probe.
    level : float
        Coverage that the sweep gave to the gap.

    Raises
    ------
    InputError
        If the table has no gap at `fraction`.
    """
    random = _of(table, method="random", probe=probe, fraction=fraction)
    gap, low, high = (_values(random, f"accuracy_gap{end}", fraction).item() for end in ("", "_low", "_high"))
    return Claim(
        name="accuracy kept",
        statement=(
            f"a random {_percent(fraction)} of the features stays within {100 * tolerance:g} points of the full layer."
        ),
        evidence=(
            f"It loses {100 * gap:.1f} points, {_percent(level)} interval {100 * low:.1f} to {100 * high:.1f} "
            f"({probe} probe; paired bootstrap over draws and rows)."
        ),
        value=gap,
        low=low,
        high=high,
        limit=tolerance,
        verdict=verdict(low, high, tolerance, below=True),
    )


def similarity_exceeds_inclusion(table: pd.DataFrame, *, fraction: float = FRACTION, level: float = 0.95) -> Claim:
    """Return the claim that subsets are more like the layer than the share of it that they contain explains.

    Parameters
    ----------
    table : DataFrame
        Of subset_similarity, one model and task.
    fraction, level : float
        Share of features, and coverage of the interval over draws.

    Raises
    ------
    InputError
        If the table has no similarity at `fraction`.
    """
    whole = _values(_of(table, method="subset_whole", fraction=fraction), "cka_debiased", fraction)
    null = _values(_of(table, method="diagonal_null", fraction=fraction), "cka", fraction)
    return above_zero(
        "similar beyond inclusion",
        f"a random {_percent(fraction)} of the features is more like the layer than mere inclusion explains.",
        f"CKA is {whole.mean():.3f} against {null.mean():.3f} for uncorrelated features",
        whole - null,
        level=level,
    )


def pca_beats_random(table: pd.DataFrame, *, fraction: float = 0.1, probe: str = "ridge", level: float = 0.95) -> Claim:
    """Return the claim that principal directions are more accurate than as many random features.

    Parameters
    ----------
    table : DataFrame
        Of subset_probes, one model and task.
    fraction, level : float
        Share of features, and coverage of the interval over draws of the features.
    probe : str
        Which probe.

    Raises
    ------
    InputError
        If the table has no such accuracies at `fraction`.
    """
    drawn, pca = (
        _values(_of(table, method=method, probe=probe, fraction=fraction), "accuracy", fraction)
        for method in ("random", "pca")
    )
    return above_zero(
        "PCA beats random",
        f"as many principal directions are more accurate than a random {_percent(fraction)} of the features.",
        f"Accuracy is {100 * pca.item():.1f} % against {100 * drawn.mean():.1f} %",
        pca.item() - drawn,
        level=level,
    )


def classes_pay_unequally(
    table: pd.DataFrame, *, fraction: float = FRACTION, probe: str = "ridge", level: float = 0.95
) -> Claim:
    """Return the claim that random subsets are more unequal over classes (Gini) than the full layer.

    Parameters
    ----------
    table : DataFrame
        Of subset_probes, one model and task.
    fraction, level : float
        Share of features, and coverage of the interval over draws.
    probe : str
        Which probe.

    Raises
    ------
    InputError
        If the table has no such inequality at `fraction`.
    """
    drawn = _values(_of(table, method="random", probe=probe, fraction=fraction), "gini_by_seed", fraction)
    full = _values(_of(table, method="full", probe=probe, fraction=1.0), "gini", 1.0).item()
    return above_zero(
        "classes pay unequally",
        f"with a random {_percent(fraction)} of the features accuracy is more unequal over classes.",
        f"The Gini coefficient is {drawn.mean():.4f} against {full:.4f} of the full layer",
        drawn - full,
        level=level,
    )


def fits_converged(table: pd.DataFrame) -> Claim:
    """Return the claim that every iterative fit of the table met its tolerance."""
    fits = table.loc[(table["metric"] == "accuracy") & table["converged"].notna(), ["probe", "converged"]]
    bad = fits[~fits["converged"].astype(bool)]
    share = len(bad) / len(fits) if len(fits) else 0.0
    which = f": {', '.join(f'{n} {probe}' for probe, n in bad['probe'].value_counts().items())}" if len(bad) else ""
    return Claim(
        name="fits converged",
        statement="every iterative fit met its tolerance.",
        evidence=f"{len(bad)} of {len(fits)} did not{which}." if len(fits) else "The table holds none.",
        value=share,
        low=share,
        high=share,
        limit=0.0,
        verdict="fails" if len(bad) else "holds",
    )


def _of(table: pd.DataFrame, *, method: str, fraction: float, probe: str | None = None) -> pd.DataFrame:
    rows = table[(table["method"] == method) & (table["fraction"] == fraction)]
    if rows.empty:
        known = ", ".join(f"{f:g}" for f in sorted(table.loc[table["method"] == method, "fraction"].dropna().unique()))
        raise InputError(f"fraction must be one at which {method} was measured ({known or 'none'}), got {fraction}")
    return rows if probe is None else rows[rows["probe"] == probe]


def _values(rows: pd.DataFrame, metric: str, fraction: float) -> pd.Series:
    """Return the values of a metric by the number of the draw."""
    found = rows[rows["metric"] == metric].set_index("repeat")["value"].sort_index()
    if found.empty:
        raise InputError(f"expected {metric} at fraction {fraction}, got no such row; run the sweep with that fraction")
    return found


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
