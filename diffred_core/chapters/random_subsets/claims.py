"""The claims of Nanda et al. (2023) held against a table of one model and task.

A table does not say at which level its sweep took the intervals: it is passed as `level`, the sweep's own by default.
"""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets import names
from diffred_core.chapters.random_subsets.reading import at_shares
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.results.claims import Claim, above_zero, judge, judge_exact, percent, with_limits

KEPT = "accuracy kept"  # the name of the claim that `accuracy_is_kept` judges, less its share
OVER = "paired bootstrap over draws and test rows"


def all_claims(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return the claims about a table of `random_subsets.probes` or of `random_subsets.similarity`.

    Parameters
    ----------
    table : DataFrame
        Of one sweep, one model and task.
    level : float
        Coverage that the sweep gave to its intervals, and that of those over draws which are made here.

    Raises
    ------
    InputError
        If the table is of another sweep, or lacks what a claim is about.
    """
    of_probes = (accuracy_is_kept, pca_beats_random, classes_pay_unequally)
    claims = {"subset_probes": of_probes, "subset_similarity": (similarity_exceeds_inclusion,)}
    experiments = sorted(table["experiment"].unique())
    if len(experiments) != 1 or experiments[0] not in claims:
        raise InputError(
            f"table must be of one of {', '.join(claims)}, got {' and '.join(experiments) or 'no row'}; pass what a "
            "sweep of this chapter returned"
        )
    about = [claim(table, level=level) for claim in claims[experiments[0]]]
    return [*about, fits_converged(table)] if experiments[0] == "subset_probes" else about


def accuracy_is_kept(
    table: pd.DataFrame,
    *,
    fraction: float = names.FRACTION,
    margin: float = names.MARGIN,
    probe: str = names.HEADLINE,
    level: float = 0.95,
) -> Claim:
    """Return the claim of non-inferiority: random subsets are less than `margin` worse than the full layer.

    It holds where the lower limit of the difference lies above ``-margin``, and fails where the upper one does not.

    Parameters
    ----------
    table : DataFrame
        Of subset_probes, one model and task.
    fraction : float
        Share of the dimensions; judged is the nearest one that was measured, which name and statement say.
    margin : float
        In accuracy: 0.05 is five points.
    probe : str
        Which probe.
    level : float
        Coverage that the sweep gave to its intervals.

    Raises
    ------
    InputError
        If the table has no such rows.
    """
    gap = _measured(table, names.RANDOM, names.GAP, fraction, probe=probe)
    loss, share, points = with_limits(gap), percent(gap["fraction"]), f"{100 * margin:g} points"
    difference = {"value": -loss["value"], "low": -loss["high"], "high": -loss["low"]}
    return judge(
        name=f"{KEPT} at {share}",
        statement=f"a random {share} of the dimensions is not inferior to the full layer by a margin of {points}.",
        evidence=f"Its accuracy differs by {_in_points(difference, level=level)} ({gap['probe']} probe; {OVER}).",
        **difference,
        limit=-margin,
    )


def similarity_exceeds_inclusion(
    table: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95
) -> Claim:
    """Return the claim that subsets are more like the layer than the share of it that they contain explains.

    Parameters and errors are those of `accuracy_is_kept`, of a table of subset_similarity; the interval is over draws.
    """
    whole = _rows(table, names.WHOLE, names.CKA, fraction)
    null = _rows(table, names.WHOLE_NULL, names.NULL, fraction)
    share = percent(whole["fraction"].iloc[0])
    whole, null = (rows.set_index("repeat")["value"].sort_index() for rows in (whole, null))
    return above_zero(
        name=f"similar beyond inclusion at {share}",
        statement=f"a random {share} of the dimensions is more like the layer than mere inclusion explains.",
        measured=f"CKA is {whole.mean():.3f} against {null.mean():.3f} for uncorrelated dimensions",
        differences=whole - null,
        level=level,
    )


def pca_beats_random(
    table: pd.DataFrame, *, fraction: float = names.PCA_FRACTION, probe: str = names.HEADLINE, level: float = 0.95
) -> Claim:
    """Return the claim that principal directions are more accurate than as many random dimensions.

    Parameters and errors are those of `accuracy_is_kept`.
    """
    row = _measured(table, names.PCA, names.GAIN, fraction, probe=probe)
    gain, share = with_limits(row), percent(row["fraction"])
    return judge(
        name=f"PCA beats random at {share}",
        statement=f"as many principal directions are more accurate than a random {share} of the dimensions.",
        evidence=f"They gain {_in_points(gain, level=level)} ({row['probe']} probe; {OVER}).",
        **gain,
    )


def classes_pay_unequally(
    table: pd.DataFrame, *, fraction: float = names.FRACTION, probe: str = names.HEADLINE, level: float = 0.95
) -> Claim:
    """Return the claim that random subsets are more unequal over classes (Gini) than the full layer, beyond chance.

    A lower accuracy alone raises the measured coefficient, since it has more noise. So each side is taken less its
    null: what equally accurate classes would show at its accuracy (`redundancy.gini_null`).

    Parameters and errors are those of `accuracy_is_kept`.
    """
    row = _measured(table, names.RANDOM, names.GINI_RISE, fraction, probe=probe)
    rise, share, sides = with_limits(row), percent(row["fraction"]), []
    for method, at in ((names.RANDOM, fraction), (names.FULL, 1.0)):
        gini, null = (
            _mean_draw(_rows(table, method, metric, at, probe=probe)) for metric in (names.GINI, names.GINI_NULL)
        )
        sides.append(f"{gini:.4f} ({null:.4f} by chance)")
    return judge(
        name=f"classes pay unequally at {share}",
        statement=f"with a random {share} of the dimensions accuracy is more unequal over classes than chance "
        "explains.",
        evidence=f"The Gini coefficient is {sides[0]} against {sides[1]} of the full layer: beyond chance it rises by "
        f"{rise['value']:+.4f}, {percent(level)} interval {rise['low']:+.4f} to {rise['high']:+.4f} ({row['probe']} "
        f"probe; {OVER}).",
        **rise,
    )


def fits_converged(table: pd.DataFrame) -> Claim:
    """Return the claim that every fit that runs to convergence met its tolerance; the published SGD stops before."""
    to_the_end = table["converged"].notna() & (table["probe"] != names.SGD)
    fits = table.loc[to_the_end & (table["metric"] == names.ACCURACY), ["probe", "converged"]]
    bad = fits[~fits["converged"].astype(bool)]
    share = len(bad) / len(fits) if len(fits) else 0.0
    which = f": {', '.join(f'{n} {probe}' for probe, n in bad['probe'].value_counts().items())}" if len(bad) else ""
    return judge_exact(
        name="fits converged",
        statement="every fit that runs to convergence met its tolerance.",
        evidence=f"{len(bad)} of {len(fits)} did not{which}." if len(fits) else "The table holds none.",
        value=share,
        side="below",
    )


def _rows(table: pd.DataFrame, method: str, metric: str, fraction: float, *, probe: str | None = None) -> pd.DataFrame:
    rows = where(table, method=method, metric=metric)
    rows = rows if probe is None else where(rows, probe=probe)
    rows = rows[rows["fraction"].notna()]
    if rows.empty:
        of_probe = "" if probe is None else f" with the {probe} probe"
        raise InputError(f"expected {metric} of {method}{of_probe}, got no such row; run the sweep with that method")
    return at_shares(rows, [fraction])


def _measured(table: pd.DataFrame, method: str, metric: str, fraction: float, *, probe: str) -> pd.Series:
    return _rows(table, method, metric, fraction, probe=probe).iloc[0]


def _mean_draw(rows: pd.DataFrame) -> float:
    """Return the mean over single draws; what is drawn once has only the row that is pooled over draws."""
    drawn = rows.dropna(subset="repeat")
    return float((drawn if len(drawn) else rows)["value"].mean())


def _in_points(difference: dict[str, float], *, level: float) -> str:
    value, low, high = (f"{100 * difference[name]:+.1f}" for name in ("value", "low", "high"))
    return f"{value} points, {percent(level)} interval {low} to {high}"
