"""The claims of Nanda et al. (2023) held against a table of one model and task."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets import names
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.results.claims import Claim, above_zero, judge, percent, with_limits

TOLERANCE = 0.05  # "20 % of the neurons within 5 % of the full layer" (Nanda et al. 2023, abstract)


def all_claims(table: pd.DataFrame) -> list[Claim]:
    """Return the claims about a table of `random_subsets.probes` or of `random_subsets.similarity`.

    Raises
    ------
    InputError
        If the table is of another sweep, or lacks what a claim is about.
    """
    claims = {
        "subset_probes": (accuracy_is_kept, pca_beats_random, classes_pay_unequally, fits_converged),
        "subset_similarity": (similarity_exceeds_inclusion,),
    }
    experiments = sorted(table["experiment"].unique())
    if len(experiments) != 1 or experiments[0] not in claims:
        raise InputError(
            f"table must be of one of {', '.join(claims)}, got {' and '.join(experiments) or 'no row'}; pass what a "
            "sweep of this chapter returned"
        )
    return [claim(table) for claim in claims[experiments[0]]]


def accuracy_is_kept(
    table: pd.DataFrame,
    *,
    fraction: float = names.FRACTION,
    tolerance: float = TOLERANCE,
    probe: str = names.RIDGE,
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
        If the table has no such rows at `fraction`.
    """
    gap = with_limits(_rows(table, names.RANDOM, names.GAP, fraction, probe=probe).iloc[0])
    return judge(
        name="accuracy kept",
        statement=f"a random {percent(fraction)} of the features stays within {100 * tolerance:g} points of the full "
        "layer.",
        evidence=f"It loses {100 * gap['value']:.1f} points, {percent(level)} interval {100 * gap['low']:.1f} to "
        f"{100 * gap['high']:.1f} ({probe} probe; paired bootstrap over draws and rows).",
        **gap,
        limit=tolerance,
        side="below",
    )


def similarity_exceeds_inclusion(
    table: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95
) -> Claim:
    """Return the claim that subsets are more like the layer than the share of it that they contain explains.

    Parameters and errors are those of `pca_beats_random`, of a table of subset_similarity.
    """
    whole = _by_draw(table, names.WHOLE, names.CKA, fraction)
    null = _by_draw(table, names.WHOLE_NULL, names.NULL, fraction)
    return above_zero(
        name="similar beyond inclusion",
        statement=f"a random {percent(fraction)} of the features is more like the layer than mere inclusion explains.",
        measured=f"CKA is {whole.mean():.3f} against {null.mean():.3f} for uncorrelated features",
        differences=whole - null,
        level=level,
    )


def pca_beats_random(
    table: pd.DataFrame, *, fraction: float = 0.1, probe: str = names.RIDGE, level: float = 0.95
) -> Claim:
    """Return the claim that principal directions are more accurate than as many random features.

    Parameters and errors are those of `accuracy_is_kept`; `level` is the coverage of the interval over draws.
    """
    accuracy = _by_draw(table, names.RANDOM, names.ACCURACY, fraction, probe=probe)
    pca = _by_draw(table, names.PCA, names.ACCURACY, fraction, probe=probe).item()
    return above_zero(
        name="PCA beats random",
        statement=f"as many principal directions are more accurate than a random {percent(fraction)} of the features.",
        measured=f"Accuracy is {100 * pca:.1f} % against {100 * accuracy.mean():.1f} %",
        differences=pca - accuracy,
        level=level,
    )


def classes_pay_unequally(
    table: pd.DataFrame, *, fraction: float = names.FRACTION, probe: str = names.RIDGE, level: float = 0.95
) -> Claim:
    """Return the claim that random subsets are more unequal over classes (Gini) than the full layer.

    Parameters and errors are those of `pca_beats_random`.
    """
    gini = _by_draw(table, names.RANDOM, names.GINI, fraction, probe=probe)
    full = _rows(table, names.FULL, names.GINI, 1.0, probe=probe)["value"].item()
    return above_zero(
        name="classes pay unequally",
        statement=f"with a random {percent(fraction)} of the features accuracy is more unequal over classes.",
        measured=f"The Gini coefficient is {gini.mean():.4f} against {full:.4f} of the full layer",
        differences=gini - full,
        level=level,
    )


def fits_converged(table: pd.DataFrame) -> Claim:
    """Return the claim that every fit that runs to convergence met its tolerance; the published SGD stops before."""
    to_the_end = table["converged"].notna() & (table["probe"] != names.SGD)
    fits = table.loc[to_the_end & (table["metric"] == names.ACCURACY), ["probe", "converged"]]
    bad = fits[~fits["converged"].astype(bool)]
    share = len(bad) / len(fits) if len(fits) else 0.0
    which = f": {', '.join(f'{n} {probe}' for probe, n in bad['probe'].value_counts().items())}" if len(bad) else ""
    return judge(
        name="fits converged",
        statement="every fit that runs to convergence met its tolerance.",
        evidence=f"{len(bad)} of {len(fits)} did not{which}." if len(fits) else "The table holds none.",
        value=share,
        low=share,
        high=share,
        side="below",
    )


def _rows(table: pd.DataFrame, method: str, metric: str, fraction: float, *, probe: str | None = None) -> pd.DataFrame:
    of_method = where(table, method=method)
    rows = where(of_method, fraction=fraction)
    if rows.empty:
        known = ", ".join(f"{share:g}" for share in sorted(of_method["fraction"].dropna().unique()))
        raise InputError(f"fraction must be one at which {method} was measured ({known or 'none'}), got {fraction}")
    rows = where(rows, metric=metric) if probe is None else where(rows, metric=metric, probe=probe)
    if rows.empty:
        raise InputError(f"expected {metric} at fraction {fraction}, got no such row; run the sweep with that fraction")
    return rows


def _by_draw(table: pd.DataFrame, method: str, metric: str, fraction: float, *, probe: str | None = None) -> pd.Series:
    rows = _rows(table, method, metric, fraction, probe=probe)
    return rows[rows["repeat"].notna()].set_index("repeat")["value"].sort_index()
