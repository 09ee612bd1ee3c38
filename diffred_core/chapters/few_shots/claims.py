"""The claims of "Less is more" held against a table of one model and task, C1 to C9; C10 over tasks; the theory."""

from __future__ import annotations

import pandas as pd

import diffred_core.chapters.few_shots.names as names
from diffred_core.chapters.few_shots.claims_estimates import augmentations_differ as augmentations_differ
from diffred_core.chapters.few_shots.claims_estimates import head_equals_centroid as head_equals_centroid
from diffred_core.chapters.few_shots.claims_estimates import mask_improves as mask_improves
from diffred_core.chapters.few_shots.claims_estimates import n_leads as n_leads
from diffred_core.chapters.few_shots.claims_estimates import selection_is_inaccurate as selection_is_inaccurate
from diffred_core.chapters.few_shots.claims_theory import theory as theory
from diffred_core.chapters.few_shots.judging import (
    MARGIN,
    difference,
    estimate_of,
    judged,
    margin_in_words,
    measurement,
    negative,
    points,
    setting_in_words,
    with_interval,
)
from diffred_core.chapters.few_shots.names import plural
from diffred_core.chapters.few_shots.reading import all_shots, along, headline
from diffred_core.errors import InputError
from diffred_core.results.claims import Claim, judge, percent

LANDMARKS = (0.01, 0.02, 0.03, 0.05)  # "1-5 %" (second version, abstract)
SEEING = "an oracle that sees the queries"


def all_claims(table: pd.DataFrame, *, margin: float = MARGIN, level: float = 0.95) -> list[Claim]:
    """Return C1 to C9 of one model and task, C8 at every number of shots by both centroids.

    Left out is what the settings say nothing about: C4 and C5 with one number of shots or classes, C7 and C8 where
    nobody estimates importance (one shot without views), C9 without a probe.

    Parameters
    ----------
    table : DataFrame
        Of `few_shots.episodes`, one model and task.
    margin : float
        Accuracy that C1 lets the few dimensions be behind, and by which the two of C9 may differ.
    level : float
        Coverage of the intervals.

    Raises
    ------
    InputError
        If the table lacks what a claim is about, or the margin is not above 0.
    """
    known = [n_shot for n_shot in all_shots(table) if estimate_of(table, n_shot)]
    masks = [(n_shot, probe) for n_shot in known for probe in names.CENTROIDS]
    claims = [
        top_percent_recovers(table, margin=margin, level=level),
        few_percent_improve(table, level=level),
        accuracy_peaks_inside(table, level=level),
        *([more_shots_need_more(table, level=level)] if _along(table, "n_shot")["n_shot"].nunique() > 1 else []),
        *([fades_with_ways(table, level=level)] if _along(table, "n_way")["n_way"].nunique() > 1 else []),
        confounders_harm(table, level=level),
        *([selection_is_inaccurate(table, level=level)] if known else []),
        *(mask_improves(table, n_shot=n_shot, probe=probe, level=level) for n_shot, probe in masks),
    ]
    probed = (table["metric"] == "over_centroid").any()
    return claims + ([head_equals_centroid(table, margin=margin, level=level)] if probed else [])


def top_percent_recovers(
    table: pd.DataFrame, *, fraction: float = 0.01, margin: float = MARGIN, level: float = 0.95
) -> Claim:
    """Return C1: the top `fraction` of the dimensions, by the published oracle, recovers the accuracy of all of them.

    A claim of non-inferiority: it holds where the whole interval of the difference lies above ``-margin``, and fails
    where it lies below. The least share that recovers it is chosen on other episodes than those it is measured on.
    """
    rows = _oracle(table)
    gain, chosen = measurement(rows, "gain", level, fraction=fraction), measurement(rows, "recovered_gain", level)
    kept, full = (measurement(rows, "accuracy", level, fraction=share)["mean"] for share in (fraction, 1.0))
    return judged(
        "C1 top 1 % recovers",
        f"the {percent(fraction)} of dimensions that {SEEING} ranks first recover the accuracy of all dimensions, with "
        f"a margin of {margin_in_words(margin)} ({setting_in_words(table)}).",
        f"{_without_queries(table, fraction, level)} The least share that reaches all on one half of the episodes is "
        f"{percent(chosen['fraction'])}; on the other half it gains {with_interval(chosen)}. The top "
        f"{percent(fraction)} reach {100 * kept:.1f} %, all {100 * full:.1f} %",
        gain,
        limit=-margin,
    )


def few_percent_improve(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C2: 1 to 5 % of the dimensions are more accurate than all.

    The best of the shares is judged, with the level of its interval corrected for having chosen it (Bonferroni).
    """
    corrected = 1 - (1 - level) / len(LANDMARKS)
    gains = {fraction: measurement(_oracle(table), "gain", corrected, fraction=fraction) for fraction in LANDMARKS}
    best = max(gains, key=lambda fraction: gains[fraction]["mean"])
    statement = f"1 to 5 % of the dimensions, by {SEEING}, are more accurate than all ({setting_in_words(table)})."
    measured = f"{_without_queries(table, best, level)} The best of {len(LANDMARKS)} shares is {percent(best)}"
    return judged("C2 1 to 5 % improve", statement, measured, gains[best])


def accuracy_peaks_inside(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C3: with the retained dimensions accuracy rises first, then falls; the smaller of both steps is judged.

    The place of the peak was chosen on other episodes than those on which rise and fall are measured.
    """
    peak, rise = (measurement(_oracle(table), metric, level) for metric in ("peak_gain", "peak_rise"))
    return judged(
        "C3 rises, then falls",
        f"accuracy rises first, then falls with the number of dimensions kept, by {SEEING} "
        f"({setting_in_words(table)}).",
        f"{_without_queries(table, peak['fraction'], level)} The peak is at {percent(peak['fraction'])} of the "
        f"dimensions, {points(rise['mean'])} above the smallest share and {points(peak['mean'])} above all. The "
        "smaller step",
        min(peak, rise, key=lambda step: step["low"]),
    )


def more_shots_need_more(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C4: dimensions that are best dropped at few shots are of use at many.

    Judged is what all dimensions gain over the share that is best at the fewest shots, at the most shots.

    Raises
    ------
    InputError
        If the table has fewer than two numbers of shots.
    """
    by_shots = _at_least_two(_along(table, "n_shot"), "n_shot", "more_shots")
    best = {n_shot: measurement(rows, "peak_gain", level)["fraction"] for n_shot, rows in by_shots.items()}
    fewest, most = min(best), max(best)
    gain = measurement(by_shots[most], "gain", level, fraction=best[fewest])
    course = ", ".join(f"{percent(fraction)} at {n_shot}" for n_shot, fraction in best.items())
    statement = f"dimensions that are best dropped at {plural(fewest, 'shot')}, by {SEEING}, are of use at {most}."
    measured = f"The best share by shots is {course}; what all gain over the share that is best at {fewest}, at {most}"
    return judged("C4 more shots need more", statement, measured, negative(gain))


def fades_with_ways(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C5: what dropping dimensions gains is smaller with many classes than with few.

    The two peaks are measured on different episodes, taken as independent.

    Raises
    ------
    InputError
        If the table has fewer than two numbers of classes.
    """
    by_ways = _at_least_two(_along(table, "n_way"), "n_way", "ways")
    peaks = {ways: measurement(rows, "peak_gain", level) for ways, rows in by_ways.items()}
    fewest, most = min(peaks), max(peaks)
    course = ", ".join(f"{points(peak['mean'])} with {ways}" for ways, peak in peaks.items())
    statement = f"what dropping dimensions gains, by {SEEING}, is smaller, the more classes there are."
    measured = f"The gain by classes is {course}; {fewest} over {most} classes"
    return judged("C5 fades with ways", statement, measured, difference(peaks[fewest], peaks[most]))


def confounders_harm(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C6: dimensions of high spread and small distance between the classes stand in the way."""
    left_out = headline(table, method="left_out")
    gains = {label: measurement(rows, "gain", level) for label, rows in left_out.groupby("label")}
    statement = (
        "dimensions of high spread and small distance between classes, by all images with the queries, confound "
        f"({setting_in_words(table)})."
    )
    if names.CONFOUNDERS not in gains:
        unknown = dict.fromkeys(("value", "low", "high"), float("nan"))
        evidence = "The layer has too few dimensions for ninths of them."
        return judge(name="C6 confounders", statement=statement, evidence=evidence, **unknown)
    place = 1 + sum(gain["mean"] > gains[names.CONFOUNDERS]["mean"] for gain in gains.values())
    shares = headline(table, method="theory", metric="few_shot_share").set_index("label")["value"]
    ordinal = {1: "best", 2: "second best", 3: "third best"}.get(place, f"{place}th best")
    return judged(
        "C6 confounders",
        statement,
        f"By theory {100 * shares[names.CONFOUNDERS]:.0f} % of them do not help for want of shots, "
        f"{100 * shares.mean():.0f} % of all; leaving them out is the {ordinal} of {len(gains)} ninths to leave out",
        gains[names.CONFOUNDERS],
    )


def _oracle(table: pd.DataFrame, name: str = names.ORACLE) -> pd.DataFrame:
    return headline(table, method=name, probe=names.EUCLIDEAN)


def _along(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the rows of the published oracle on all images along n_shot or n_way."""
    return along(table, column, split=names.ALL, method=names.ORACLE)


def _at_least_two(rows: pd.DataFrame, column: str, option: str) -> dict[int, pd.DataFrame]:
    """Return the rows by the numbers of a column, growing; refuse fewer than two."""
    numbers = sorted(int(value) for value in rows[column].unique())
    if len(numbers) < 2:
        raise InputError(
            f"expected at least two values of {column} to compare, got {numbers}; give few_shots.episodes {option}"
        )
    return {number: rows[rows[column] == number] for number in numbers}


def _without_queries(table: pd.DataFrame, fraction: float, level: float) -> str:
    """Say what an oracle gains that does not see the images that it is tested on."""
    fair = measurement(_oracle(table, names.WITHOUT_QUERIES), "gain", level, fraction=fraction)
    return f"Without the queries an oracle gains {with_interval(fair)}."
