"""The claims of "Less is more" held against a table of one model and task, C1 to C9; C10 over tasks; the theory."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

import diffred_core.chapters.few_shots.names as names
from diffred_core import results, subsets
from diffred_core.chapters.few_shots.claims_theory import theory as theory
from diffred_core.chapters.few_shots.names import plural
from diffred_core.chapters.few_shots.reading import all_shots, along, headline, n_way
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.results.claims import Claim, Side, judge, percent

Measurement = Mapping[str, float]  # mean, low, high, n, level
LANDMARKS = (0.01, 0.02, 0.03, 0.05)  # "1-5 %" (second version, abstract)
POINT = 0.01  # of accuracy: linear probe and centroid that differ by less are called equal


def all_claims(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return C1 to C9 of one model and task, C8 at every number of shots by both centroids.

    Left out is what the settings say nothing about: C4 and C5 with one number of shots or classes, C7 and C8 where
    nobody estimates importance (one shot without views), C9 without a probe.

    Parameters
    ----------
    table : DataFrame
        Of `few_shots.episodes`, one model and task.
    level : float
        Coverage of the intervals.

    Raises
    ------
    InputError
        If the table lacks what a claim is about.
    """
    known = [n_shot for n_shot in all_shots(table) if _estimate(table, n_shot)]
    masks = [(n_shot, probe) for n_shot in known for probe in names.CENTROIDS]
    claims = [
        top_percent_recovers(table, level=level),
        few_percent_improve(table, level=level),
        accuracy_peaks_inside(table, level=level),
        *([more_shots_need_more(table, level=level)] if _along(table, "n_shot")["n_shot"].nunique() > 1 else []),
        *([fades_with_ways(table, level=level)] if _along(table, "n_way")["n_way"].nunique() > 1 else []),
        confounders_harm(table, level=level),
        *([selection_is_inaccurate(table, level=level)] if known else []),
        *(mask_improves(table, n_shot=n_shot, probe=probe, level=level) for n_shot, probe in masks),
    ]
    return claims + ([head_equals_centroid(table, level=level)] if (table["metric"] == "over_centroid").any() else [])


def top_percent_recovers(table: pd.DataFrame, *, fraction: float = 0.01, level: float = 0.95) -> Claim:
    """Return C1: the top `fraction` of the dimensions, by the published oracle, is more accurate than all of them."""
    rows = _oracle(table)
    gain = _row(rows, "gain", level, fraction=fraction)
    kept, full = (_row(rows, "accuracy", level, fraction=share)["mean"] for share in (fraction, 1.0))
    return _judged(
        "C1 top 1 % recovers",
        f"the {percent(fraction)} of dimensions that an oracle ranks first reach the accuracy of all dimensions "
        f"({_setting(table)}).",
        f"{_without_queries(table, fraction)} Accuracy is {100 * kept:.1f} % against {100 * full:.1f} %",
        gain,
    )


def few_percent_improve(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C2: 1 to 5 % of the dimensions are more accurate than all.

    The best of the shares is judged, with the level of its interval corrected for having chosen it (Bonferroni).
    """
    corrected = 1 - (1 - level) / len(LANDMARKS)
    gains = {fraction: _row(_oracle(table), "gain", corrected, fraction=fraction) for fraction in LANDMARKS}
    best = max(gains, key=lambda fraction: gains[fraction]["mean"])
    statement = f"1 to 5 % of the dimensions, by an oracle, are more accurate than all ({_setting(table)})."
    measured = f"{_without_queries(table, best)} The best of {len(LANDMARKS)} shares is {percent(best)}"
    return _judged("C2 1 to 5 % improve", statement, measured, gains[best])


def accuracy_peaks_inside(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C3: with the retained dimensions accuracy rises first, then falls; the smaller of both steps is judged.

    The place of the peak was chosen on other episodes than those on which rise and fall are measured.
    """
    peak, rise = (_row(_oracle(table), metric, level) for metric in ("peak_gain", "peak_rise"))
    return _judged(
        "C3 rises, then falls",
        f"accuracy rises first with the number of dimensions kept, then falls ({_setting(table)}).",
        f"{_without_queries(table, peak['fraction'])} The peak is at {percent(peak['fraction'])} of the dimensions, "
        f"{_points(rise['mean'])} above the smallest share and {_points(peak['mean'])} above all. The smaller step",
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
    best = {n_shot: _row(rows, "peak_gain", level)["fraction"] for n_shot, rows in by_shots.items()}
    fewest, most = min(best), max(best)
    gain = _row(by_shots[most], "gain", level, fraction=best[fewest])
    course = ", ".join(f"{percent(fraction)} at {n_shot}" for n_shot, fraction in best.items())
    statement = f"dimensions that are best dropped at {plural(fewest, 'shot')} are of use at {most}."
    measured = f"The best share by shots is {course}; what all gain over the share that is best at {fewest}, at {most}"
    return _judged("C4 more shots need more", statement, measured, _negative(gain))


def fades_with_ways(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C5: what dropping dimensions gains is smaller with many classes than with few.

    The two peaks are measured on different episodes, taken as independent.

    Raises
    ------
    InputError
        If the table has fewer than two numbers of classes.
    """
    by_ways = _at_least_two(_along(table, "n_way"), "n_way", "ways")
    peaks = {ways: _row(rows, "peak_gain", level) for ways, rows in by_ways.items()}
    fewest, most = min(peaks), max(peaks)
    course = ", ".join(f"{_points(peak['mean'])} with {ways}" for ways, peak in peaks.items())
    statement = "what dropping dimensions gains is smaller, the more classes there are."
    measured = f"The gain by classes is {course}; {fewest} over {most} classes"
    return _judged("C5 fades with ways", statement, measured, _difference(peaks[fewest], peaks[most]))


def confounders_harm(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C6: dimensions of high spread and small distance between the classes stand in the way."""
    left_out = headline(table, method="left_out")
    gains = {label: _row(rows, "gain", level) for label, rows in left_out.groupby("label")}
    place = 1 + sum(gain["mean"] > gains[names.CONFOUNDERS]["mean"] for gain in gains.values())
    shares = headline(table, method="theory", metric="few_shot_share").set_index("label")["value"]
    ordinal = {1: "best", 2: "second best", 3: "third best"}.get(place, f"{place}th best")
    return _judged(
        "C6 confounders",
        f"dimensions of high spread and small distance between classes confound ({_setting(table)}).",
        f"By theory {100 * shares[names.CONFOUNDERS]:.0f} % of them do not help for want of shots, "
        f"{100 * shares.mean():.0f} % of all; leaving them out is the {ordinal} of {len(gains)} ninths to leave out",
        gains[names.CONFOUNDERS],
    )


def selection_is_inaccurate(
    table: pd.DataFrame, *, fraction: float = names.UPPER_FRACTION, level: float = 0.95
) -> Claim:
    """Return C7: dimensions selected by importance estimated from few shots fall short of those of an oracle.

    Raises
    ------
    InputError
        If nobody estimates importance at any number of shots.
    """
    n_shot = next((n_shot for n_shot in all_shots(table) if _estimate(table, n_shot)), None)
    if n_shot is None:
        raise InputError("expected an importance estimated from the support, got none; pass views, or at least 2 shots")
    estimated = headline(table, n_shot=n_shot, method=_estimate(table, n_shot))
    curve, importance = where(estimated, probe=names.EUCLIDEAN), estimated[estimated["probe"].isna()]
    shared = _row(importance, "overlap", level, fraction=fraction)
    ranks = _row(importance, "rank_correlation", level)
    gain = _row(curve, "gain", level, fraction=fraction)
    return _judged(
        "C7 selection is inaccurate",
        f"the top {percent(fraction)} by importance estimated from {plural(n_shot, 'shot')} falls short of an oracle "
        "that does not see the queries.",
        f"The two share {100 * shared['mean']:.0f} % of these dimensions (rank correlation of all "
        f"{ranks['mean']:.2f}), and the estimated ones gain {_points(gain['mean'])} over all. The shortfall",
        _row(curve, "shortfall", level, fraction=fraction),
    )


def mask_improves(
    table: pd.DataFrame, *, kind: str = "importance", n_shot: int = 1, probe: str = names.EUCLIDEAN, level: float = 0.95
) -> Claim:
    """Return C8: a soft mask, by importance estimated from the support, is more accurate than none.

    Both have the prototypes of the plain images, so that what the views add to prototypes is no part of it.
    """
    method = names.mask_method(kind, _estimate(table, n_shot) or names.BY_SHOTS)
    rows = headline(table, n_shot=n_shot, method=method, probe=probe, label=names.ORIGINAL)
    wins, over = (_row(rows, metric, level) for metric in ("win_rate", "over_control"))
    return _judged(
        f"C8 soft mask, {names.CENTROIDS[probe]}, {plural(n_shot, 'shot')}",
        f"the soft mask '{kind}' is more accurate than none at {plural(n_shot, 'shot')} ({names.CENTROIDS[probe]}).",
        f"It wins {100 * wins['mean']:.0f} % of the episodes (ties count half) and gains "
        f"{_points(over['mean'])} over the control, one over the spread; over no mask",
        _row(rows, "gain", level),
    )


def head_equals_centroid(
    table: pd.DataFrame, *, head: str = names.LOGISTIC, centroid: str = names.COSINE, level: float = 0.95
) -> Claim:
    """Return C9: at one shot linear probe and nearest centroid are equally accurate, within `POINT`."""
    return _judged(
        "C9 linear probe is centroid",
        f"a {head} probe and the nearest centroid ({names.CENTROIDS[centroid]}) are equally accurate at "
        f"{plural(all_shots(table)[0], 'shot')}, within {100 * POINT:g} point.",
        "The lead of the probe",
        _row(headline(table, probe=head, label=centroid), "over_centroid", level),
        limit=POINT,
        side="within",
    )


def augmentations_differ(gains: pd.DataFrame) -> Claim | None:
    """Return C10, that the best augmentation is not the same for all tasks; None if fewer than two tasks compare some.

    The lead of a task is what its best recipe gains on its next one. Judged is the smaller lead of two tasks with
    different best recipes, of all such pairs the clearest; and where one recipe is best for all tasks, the least clear
    lead, as evidence against. The intervals take gains of two recipes as independent, which is too wide for gains on
    the same episodes.

    Parameters
    ----------
    gains : DataFrame
        From `across.crop_gains`, one model.
    """
    by_task = {task: rows.nlargest(2, "mean") for task, rows in gains.groupby("task") if len(rows) > 1}
    if len(by_task) < 2:
        return None
    best = {task: rows.iloc[0] for task, rows in by_task.items()}
    leads = {task: _difference(rows.iloc[0], rows.iloc[1]) for task, rows in by_task.items()}
    course = "; ".join(
        f"{row['recipe']} on {task} ({_points(row['mean'])}, {100 * leads[task]['mean']:+.1f} on the next)"
        for task, row in best.items()
    )
    clear = sum(lead["low"] > 0 for lead in leads.values())
    by_lead = sorted(leads, key=lambda task: leads[task]["low"], reverse=True)
    other = next((task for task in by_lead if best[task]["recipe"] != best[by_lead[0]]["recipe"]), None)
    if other is None:
        which, lead = "One is best for all; their least clear lead, against the claim", _negative(leads[by_lead[-1]])
    else:
        which, lead = "The lead that decides", leads[other]
    statement = "the augmentation that serves importance best differs by task."
    measured = f"Best: {course}; clearly ahead in {clear} of {len(leads)} tasks. {which}"
    return _judged("C10 best augmentation differs", statement, measured, lead)


def _difference(a: Measurement, b: Measurement) -> Measurement:
    """Return a - b of independent means with the interval of the root of both squared half-widths."""
    reach = math.hypot(a["high"] - a["mean"], b["high"] - b["mean"])
    mean, n = a["mean"] - b["mean"], min(a["n"], b["n"])
    return {"mean": mean, "low": mean - reach, "high": mean + reach, "n": n, "level": a["level"]}


def _negative(row: Measurement) -> Measurement:
    return {**row, "mean": -row["mean"], "low": -row["high"], "high": -row["low"]}


def _judged(
    name: str, statement: str, measured: str, row: Measurement, *, limit: float = 0.0, side: Side = "above"
) -> Claim:
    """Return the claim about a mean over episodes; `measured` says what it is of."""
    evidence = (
        f"{measured}: {_points(row['mean'])}, {percent(row['level'])} interval {100 * row['low']:+.1f} to "
        f"{100 * row['high']:+.1f} over {int(row['n']):,} episodes."
    )
    numbers = {"value": row["mean"], "low": row["low"], "high": row["high"], "limit": limit}
    return judge(name=name, statement=statement, evidence=evidence, **numbers, side=side)


def _points(share: float) -> str:
    """Return a difference of accuracies in words."""
    return f"{100 * share:+.1f} points"


def _row(rows: pd.DataFrame, metric: str, level: float, *, fraction: float | None = None) -> Measurement:
    """Return mean, low, high, n and level of one measurement, with its fraction.

    It is looked for by the number of dimensions that `fraction` keeps: of fractions that keep equally many a narrow
    layer has one row.
    """
    if fraction is not None and len(rows):
        rows = rows[rows["n_selected"] == subsets.top_size(int(rows["n_features"].iloc[0]), fraction)]
    if not (rows["metric"] == metric).any():
        at = "" if fraction is None else f" at fraction {fraction:g}"
        raise InputError(f"expected {metric}{at}, got no such row; run few_shots.episodes with it")
    return results.summarize(rows, ["fraction"], metric=metric, level=level).iloc[0].to_dict()


def _oracle(table: pd.DataFrame, who: str = names.ORACLE) -> pd.DataFrame:
    return headline(table, method=who, probe=names.EUCLIDEAN)


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


def _estimate(table: pd.DataFrame, n_shot: int) -> str | None:
    """Return who estimates importance from so many shots, with views where there are some; None if nobody does."""
    present = set(table.loc[table["n_shot"] == n_shot, "method"])
    return next((who for who in names.ESTIMATES if who in present), None)


def _without_queries(table: pd.DataFrame, fraction: float) -> str:
    """Say what an oracle gains that does not see the images that it is tested on."""
    fair = _row(_oracle(table, names.WITHOUT_QUERIES), "gain", 0.95, fraction=fraction)
    return f"Without the queries an oracle gains {_points(fair['mean'])}."


def _setting(table: pd.DataFrame) -> str:
    return f"{n_way(table)} classes, {plural(all_shots(table)[0], 'shot')}"
