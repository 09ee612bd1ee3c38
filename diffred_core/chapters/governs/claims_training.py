"""What is said of losses and regularisers, held against networks trained here, in pairs of networks of one seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.governs import names_training as names
from diffred_core.chapters.governs import training_reading as reading
from diffred_core.results import published, where
from diffred_core.results.claims import Claim, above_zero, judge, judge_exact, percent

MATRYOSHKA, ADVERSARIAL, DROPOUT, DECOV = "matryoshka", "adversarial", "dropout", "decov"
OVER = "pairs of networks"
ALPHA = 0.05
FALSE_ALARMS = 0.1  # share of networks in arbitrary order for which the test may speak: twice its level


def all_claims(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return the claims about a table of `governs.trained`, those of objectives that it lacks left out.

    Parameters
    ----------
    table : DataFrame
        Networks trained on one task.
    level : float
        Coverage of the intervals over networks.

    Raises
    ------
    InputError
        If the reference or every other objective is missing.
    """
    objectives = reading.objectives_of(table)
    claims = [
        changes_redundancy(table, o, label, level=level) for o in objectives for label in (names.OWN, names.OTHER)
    ]
    claims += _of_published(table, objectives, level)
    if len(objectives) > 1:
        claims += [
            separation_makes_redundant(table, level=level),
            separation_serves_own_task(table, level=level),
            separation_hurts_transfer(table, level=level),
        ]
    return claims


def _of_published(table: pd.DataFrame, objectives: list[str], level: float) -> Iterator[Claim]:
    for objective in objectives:
        if objective.startswith(ADVERSARIAL):
            yield from (robust_is_more_redundant(table, objective, label, level=level) for label in _LABELS)
        if objective.startswith((DROPOUT, DECOV)):
            yield from (redundancy_stays(table, objective, label, level=level) for label in _LABELS)
        if objective.startswith(MATRYOSHKA):
            yield front_is_more_redundant(table, objective, level=level)
            yield random_is_less_redundant(table, objective, level=level)
            yield heads_are_found(table, objective)
            yield heads_are_absent_elsewhere(table)
    if len(_rates(objectives)) > 1:
        yield dropout_lowers_what_is_kept(table, level=level)


_LABELS = (names.OWN, names.OTHER)


def paper_claims(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return the claims of the paper about objectives, each over own and other tasks and all strengths together.

    Names are those by which `claims_paper` looks for them; parameters and errors are those of `all_claims`.
    """
    objectives = reading.objectives_of(table)
    about = {
        "adversarial training adds redundancy": (ADVERSARIAL, 1, 0.0),
        "dropout keeps redundancy": (DROPOUT, 1, -names.MARGIN),
        "DeCov keeps redundancy": (DECOV, 1, -names.MARGIN),
        "Matryoshka is less redundant at random": (MATRYOSHKA, -1, 0.0),
    }
    claims = []
    for name, (kind, sign, limit) in about.items():
        of_kind = [o for o in objectives if o.startswith(kind) and "+" not in o]
        pairs = [_pairs(table, objective, f"DR, {label}") for objective in of_kind for label in _LABELS]
        if pairs:
            value, low, high = intervals.mean_interval(sign * pd.concat(pairs, axis=1).mean(axis=1), level=level)
            evidence = f"DR({names.DELTA:g}) changes by {sign * value:+.3f} on own and other tasks."
            claims.append(
                judge(name=name, statement=name, evidence=evidence, value=value, low=low, high=high, limit=limit)
            )
    return claims


def changes_redundancy(
    table: pd.DataFrame, objective: str, label: str, *, margin: float = names.MARGIN, level: float = 0.95
) -> Claim:
    """Return the claim that an objective changes diffused redundancy, up or down, by more than `margin`.

    It holds where the whole interval of the difference lies beyond the margin on one side, and fails where it lies
    within it.

    Parameters
    ----------
    table : DataFrame
        Of `governs.trained`.
    objective, label : str
        Which objective, and whether on its ``own task`` or on the ``other tasks``.
    margin : float
        In diffused redundancy.
    level : float

    Raises
    ------
    InputError
        If the objective or the reference was not trained.
    """
    pairs = _pairs(table, objective, f"DR, {label}")
    value, low, high = intervals.mean_interval(pairs.to_numpy(), level=level)
    sizes = sorted((abs(low), abs(high))) if low * high > 0 else [0.0, max(abs(low), abs(high))]
    limits, words = sizes if low == low else [low, high], names.objective_words(objective)
    return judge(
        name=f"{words} changes redundancy",
        statement=f"{words} changes DR({names.DELTA:g}) on {label} by more than {margin:g}, up or down.",
        evidence=f"It changes by {value:+.3f}, {percent(level)} interval {low:+.3f} to {high:+.3f} over {OVER}.",
        value=abs(value),
        low=limits[0],
        high=limits[1],
        limit=margin,
    )


def robust_is_more_redundant(table: pd.DataFrame, objective: str, label: str, *, level: float = 0.95) -> Claim:
    """Return the claim that adversarially trained networks are more redundant than others (Nanda et al. 2023, sec. 3).

    Parameters and errors are those of `changes_redundancy`.
    """
    accuracy = {
        goal: [by_seed.mean() for by_seed in _classifiers(table, goal)] for goal in (objective, names.REFERENCE)
    }
    clean, attacked = zip(*accuracy.values(), strict=True)
    return above_zero(
        name="robust is more redundant",
        statement=f"networks of {names.objective_words(objective)} have a higher DR({names.DELTA:g}) on {label} than "
        "standard ones.",
        measured=f"Their accuracy is {100 * clean[0]:.1f} % against {100 * clean[1]:.1f} % clean and "
        f"{100 * attacked[0]:.1f} % against {100 * attacked[1]:.1f} % under attack; DR differs by",
        differences=_pairs(table, objective, f"DR, {label}"),
        level=level,
        over=OVER,
    )


def redundancy_stays(
    table: pd.DataFrame, objective: str, label: str, *, margin: float = names.MARGIN, level: float = 0.95
) -> Claim:
    """Return the claim that dropout or DeCov does not remove redundancy (Nanda et al. 2023): no loss beyond `margin`.

    Parameters and errors are those of `changes_redundancy`.
    """
    value, low, high = intervals.mean_interval(_pairs(table, objective, f"DR, {label}").to_numpy(), level=level)
    return judge(
        name="redundancy stays",
        statement=f"{names.objective_words(objective)} does not lower DR({names.DELTA:g}) on {label} by {margin:g} or "
        "more.",
        evidence=f"It changes by {value:+.3f}, {percent(level)} interval {low:+.3f} to {high:+.3f} over {OVER}.",
        value=value,
        low=low,
        high=high,
        limit=-margin,
    )


def dropout_lowers_what_is_kept(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that more dropout leaves less accuracy at a random fifth, as the published numbers have it.

    Of every seed the slope of the kept share over the rates, 0 for the reference, on other tasks.
    """
    rates = _rates(reading.objectives_of(table))
    what = {"metric": names.KEPT, "method": names.RANDOM, "label": names.OTHER}
    kept = pd.DataFrame({rate: reading.by_seed(table, o, what) for o, rate in ({names.REFERENCE: 0.0} | rates).items()})
    slopes = kept.apply(lambda row: np.polyfit(kept.columns, row, 1)[0], axis=1)
    numbers = published_kept()
    numbers = numbers[numbers["rate"].notna()]
    in_paper = np.polyfit(numbers["rate"], numbers["kept"], 1)[0]
    return above_zero(
        name="dropout lowers what is kept",
        statement="the more dropout, the smaller the share of the accuracy that a random fifth keeps on other tasks.",
        measured=f"For a rate higher by 0.1 the share is lower by, in points (published: {-0.1 * in_paper:+.2f})",
        differences=-0.1 * 100 * slopes,
        level=level,
        digits=2,
        over="networks",
    )


def published_kept() -> pd.DataFrame:
    """Return the published share of accuracy at a random fifth, in percent, mean over tasks: network, rate, kept."""
    numbers = published.regulariser_numbers()
    kept = (100 * numbers["at_20"] / numbers["full"]).groupby(numbers["network"], sort=False).mean()
    rates = kept.index.str.extract(r"dropout (.*)", expand=False).astype(float)
    return pd.DataFrame({"network": kept.index, "rate": rates, "kept": kept.to_numpy()})


def front_is_more_redundant(table: pd.DataFrame, objective: str, *, level: float = 0.95) -> Claim:
    """Return the claim that the first k dimensions of Matryoshka heads need fewer than random ones of plain networks.

    Parameters and errors are those of `changes_redundancy`.
    """
    front = reading.measure_by_seed(table, objective, "DR first k")
    plain = reading.measure_by_seed(table, names.REFERENCE, reading.DR_OWN)
    return above_zero(
        name="Matryoshka: more at the front",
        statement="the first dimensions of networks with Matryoshka heads are more redundant than random ones without.",
        measured=f"DR({names.DELTA:g}) on their own task is {front.mean():.3f} against {plain.mean():.3f}",
        differences=front - plain,
        level=level,
        over=OVER,
    )


def random_is_less_redundant(table: pd.DataFrame, objective: str, *, level: float = 0.95) -> Claim:
    """Return the claim that random dimensions of Matryoshka networks are less redundant than those of plain networks.

    Parameters and errors are those of `changes_redundancy`.
    """
    sides = [reading.measure_by_seed(table, goal, reading.DR_OWN) for goal in (names.REFERENCE, objective)]
    return above_zero(
        name="Matryoshka: less at random",
        statement="random dimensions of networks with Matryoshka heads are less redundant than of networks without.",
        measured=f"DR({names.DELTA:g}) on their own task is {sides[1].mean():.3f} against {sides[0].mean():.3f}; lost",
        differences=sides[0] - sides[1],
        level=level,
        over=OVER,
    )


def heads_are_found(table: pd.DataFrame, objective: str, *, alpha: float = ALPHA) -> Claim:
    """Return the claim that the test of prefixes finds most networks that were trained for them."""
    speaks = _corrected_p(where(table, recipe=objective)) <= alpha
    return judge_exact(
        name="prefixes are found",
        statement="the test of the first k among random k speaks for most networks that were trained for prefixes.",
        evidence=f"It does for {speaks.sum()} of {len(speaks)} (corrected p of at most {alpha:g}).",
        value=float(speaks.mean()),
        limit=0.5,
    )


def heads_are_absent_elsewhere(table: pd.DataFrame, *, alpha: float = ALPHA) -> Claim:
    """Return the claim that the same test is silent for networks whose dimensions have no order."""
    speaks = _corrected_p(table[~table["recipe"].fillna("").str.startswith(MATRYOSHKA)]) <= alpha
    return judge_exact(
        name="no prefixes elsewhere",
        statement=f"it speaks for at most {percent(FALSE_ALARMS)} of the networks that were not.",
        evidence=f"It does for {speaks.sum()} of {len(speaks)}.",
        value=float(speaks.mean()),
        limit=FALSE_ALARMS,
        side="below",
    )


def separation_makes_redundant(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that on the own task objectives with more separate classes give more redundant layers.

    Of every seed the correlation over objectives; otherwise as `changes_redundancy`.
    """
    r = reading.correlations(table, reading.SEPARATION, reading.MEASURES[reading.DR_OWN])
    return above_zero(
        name="separation makes redundant",
        statement="over objectives, redundancy on the own task goes with class separation: such layers are collapsed.",
        measured=f"The correlation of R2 with DR({names.DELTA:g}) is",
        differences=r,
        level=level,
        digits=2,
        over="seeds",
    )


def separation_serves_own_task(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that class separation goes with redundancy on the own task more than on other tasks."""
    own, other = (
        reading.correlations(table, reading.SEPARATION, reading.MEASURES[f"DR, {label}"]) for label in _LABELS
    )
    return above_zero(
        name="separation is of the own task",
        statement="over objectives, class separation goes with redundancy on the own task more than on other tasks.",
        measured=f"The correlations are {own.mean():+.2f} and {other.mean():+.2f}; the difference",
        differences=(own - other).dropna(),
        level=level,
        digits=2,
        over="seeds",
    )


def separation_hurts_transfer(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that objectives with more separate classes serve other tasks worse (Kornblith et al. 2021)."""
    what = {"metric": names.ACCURACY, "method": names.FULL, "label": names.OTHER}
    return above_zero(
        name="separation hurts transfer",
        statement="over objectives, the accuracy on other tasks falls with class separation.",
        measured="The correlation of R2 with the accuracy of a probe on other tasks, its sign turned, is",
        differences=-reading.correlations(table, reading.SEPARATION, what),
        level=level,
        digits=2,
        over="seeds",
    )


def _pairs(table: pd.DataFrame, objective: str, measure: str) -> pd.Series:
    sides = [reading.measure_by_seed(table, goal, measure) for goal in (objective, names.REFERENCE)]
    return sides[0] - sides[1]


def _classifiers(table: pd.DataFrame, objective: str) -> list[pd.Series]:
    return [reading.by_seed(table, objective, {"metric": metric}) for metric in (names.CLASSIFIER, names.ROBUST)]


def _corrected_p(table: pd.DataFrame) -> pd.Series:
    """Return of every network the least p-value times the number of sizes (Bonferroni)."""
    by_network = where(table, metric=names.PREFIX_P).groupby(["model", "recipe", "seed"])["value"]
    return (by_network.min() * by_network.size()).clip(upper=1.0)


def _rates(objectives: list[str]) -> dict[str, float]:
    """Return the rates of the objectives that are dropout alone."""
    return {o: float(o.partition(":")[2]) for o in objectives if o.startswith(DROPOUT) and "+" not in o}
