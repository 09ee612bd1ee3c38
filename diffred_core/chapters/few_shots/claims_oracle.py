"""C1 to C6: what an oracle that knows the important dimensions gains, at which shots, classes and dimensions."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.few_shots.claims_reading import (
    FAIR,
    PUBLISHED,
    all_shots,
    difference,
    judged,
    n_way,
    negative,
    oracle,
    percent,
    plural,
    points,
    row_of,
    setting,
)
from diffred_core.errors import InputError
from diffred_core.results.claims import Claim

LANDMARKS = (0.01, 0.02, 0.03, 0.05)  # "1-5 %" (second version, abstract)
CONFOUNDERS = "spread high, distance low"


def top_percent_recovers(table: pd.DataFrame, *, fraction: float = 0.01, level: float = 0.95) -> Claim:
    """Return C1: the top `fraction` of the dimensions, by the published oracle, is more accurate than all of them."""
    gain = oracle(table, "gain", level, fraction=fraction)
    kept = oracle(table, "accuracy", level, fraction=fraction)
    full = oracle(table, "accuracy", level, fraction=1.0)
    return judged(
        "C1 top 1 % recovers",
        f"the {percent(fraction)} of dimensions that an oracle ranks first reach the accuracy of all dimensions "
        f"({setting(table)}).",
        f"{_without_queries(table, fraction)} Accuracy is {100 * kept['mean']:.1f} % against "
        f"{100 * full['mean']:.1f} %",
        gain,
    )


def few_percent_improve(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C2: 1 to 5 % of the dimensions are more accurate than all.

    The best of the shares is judged, with the level of its interval corrected for having chosen it (Bonferroni).
    """
    corrected = 1 - (1 - level) / len(LANDMARKS)
    gains = {fraction: oracle(table, "gain", corrected, fraction=fraction) for fraction in LANDMARKS}
    best = max(gains, key=lambda fraction: gains[fraction]["mean"])
    return judged(
        "C2 1 to 5 % improve",
        f"1 to 5 % of the dimensions, by an oracle, are more accurate than all ({setting(table)}).",
        f"{_without_queries(table, best)} The best of {len(LANDMARKS)} shares is {percent(best)}",
        gains[best],
    )


def accuracy_peaks_inside(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C3: with the retained dimensions accuracy rises first, then falls; the smaller of both steps is judged.

    The place of the peak was chosen on other episodes than those on which rise and fall are measured.
    """
    peak = oracle(table, "peak_gain", level)
    rise = oracle(table, "peak_rise", level)
    weaker = min(peak, rise, key=lambda step: step["low"])
    return judged(
        "C3 rises, then falls",
        f"accuracy rises first with the number of dimensions kept, then falls ({setting(table)}).",
        f"{_without_queries(table, peak['fraction'])} The peak is at {percent(peak['fraction'])} of the dimensions, "
        f"{points(rise['mean'])} above the smallest share and {points(peak['mean'])} above all. The smaller step",
        weaker,
    )


def more_shots_need_more(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C4: dimensions that are best dropped at few shots are of use at many.

    Judged is what all dimensions gain over the share that is best at the fewest shots, at the most shots.

    Raises
    ------
    InputError
        If the table has fewer than two numbers of shots.
    """
    rows = _wide(table, "n_way", n_way(table))
    shots = _two(rows, "n_shot", "more_shots")
    peaks = {n_shot: row_of(rows[rows["n_shot"] == n_shot], "peak_gain", level)["fraction"] for n_shot in shots}
    fewest, most = shots[0], shots[-1]
    gain = row_of(rows[rows["n_shot"] == most], "gain", level, fraction=peaks[fewest])
    course = ", ".join(f"{percent(fraction)} at {n_shot}" for n_shot, fraction in peaks.items())
    return judged(
        "C4 more shots need more",
        f"dimensions that are best dropped at {plural(fewest, 'shot')} are of use at {most}.",
        f"The best share by shots is {course}; what all gain over the share that is best at {fewest}, at {most}",
        negative(gain),
    )


def fades_with_ways(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C5: what dropping dimensions gains is smaller with many classes than with few.

    The two peaks are measured on different episodes, taken as independent.

    Raises
    ------
    InputError
        If the table has fewer than two numbers of classes.
    """
    rows = _wide(table, "n_shot", all_shots(table)[0])
    ways = _two(rows, "n_way", "ways")
    peaks = {n_way: row_of(rows[rows["n_way"] == n_way], "peak_gain", level) for n_way in ways}
    few, many = peaks[ways[0]], peaks[ways[-1]]
    course = ", ".join(f"{points(peak['mean'])} with {n_way}" for n_way, peak in peaks.items())
    return judged(
        "C5 fades with ways",
        "what dropping dimensions gains is smaller, the more classes there are.",
        f"The gain by classes is {course}; {ways[0]} over {ways[-1]} classes",
        difference(few, many),
    )


def confounders_harm(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return C6: dimensions of high spread and small distance between the classes stand in the way."""
    rows = table[(table["method"] == "left_out") & (table["n_shot"] == all_shots(table)[0])]
    gains = {label: row_of(rows[rows["label"] == label], "gain", level) for label in rows["label"].unique()}
    place = 1 + sum(gain["mean"] > gains[CONFOUNDERS]["mean"] for gain in gains.values())
    theory = table[(table["method"] == "theory") & (table["n_shot"] == all_shots(table)[0])]
    shares = theory[theory["metric"] == "few_shot_share"].set_index("label")["value"]
    return judged(
        "C6 confounders",
        f"dimensions of high spread and small distance between classes confound ({setting(table)}).",
        f"By theory {100 * shares[CONFOUNDERS]:.0f} % of them do not help for want of shots, "
        f"{100 * shares.mean():.0f} % of all; leaving them out is the {_ordinal(place)} of {len(gains)} cells to "
        "leave out",
        gains[CONFOUNDERS],
    )


def _wide(table: pd.DataFrame, column: str, value: int) -> pd.DataFrame:
    """Return the rows of the published oracle on all images where one of the two numbers is that of the headline."""
    return table[(table["split"] == "all") & (table["method"] == PUBLISHED) & (table[column] == value)]


def varies(table: pd.DataFrame, column: str) -> bool:
    """Return whether there are two numbers of shots (``n_shot``) or classes (``n_way``) to compare."""
    other, value = ("n_way", n_way(table)) if column == "n_shot" else ("n_shot", all_shots(table)[0])
    return _wide(table, other, value)[column].nunique() > 1


def _two(rows: pd.DataFrame, column: str, option: str) -> list[int]:
    """Return the numbers of a column, growing; refuse fewer than two."""
    found = sorted(int(value) for value in rows[column].unique())
    if len(found) < 2:
        raise InputError(
            f"expected at least two values of {column} to compare, got {found}; give sweeps.few_shot {option}"
        )
    return found


def _without_queries(table: pd.DataFrame, fraction: float) -> str:
    """Say what an oracle gains that does not see the images that it is tested on."""
    fair = oracle(table, "gain", 0.95, fraction=fraction, who=FAIR)
    return f"Without the queries an oracle gains {points(fair['mean'])}."


def _ordinal(place: int) -> str:
    return {1: "best", 2: "second best", 3: "third best"}.get(place, f"{place}th best")
