"""What the papers on adaptation say, held against a table of one model and task: each claim with its verdict."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.reading import PROBE_WORDS, at_share, reached_on, targets_of
from diffred_core.results import where
from diffred_core.results.claims import Claim, above_zero, judge, percent
from diffred_core.results.readable import readable

AS_GOOD = 0.01  # in accuracy: to stand is to lose no more than a point
NOTHING = 0.02  # in accuracy: what adaptation may change where nothing is to adapt to
KEPT = 0.9  # of what the whole layer reaches there


def all_claims(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return the claims about a table of `adaptation`, all at the share nearest to 20 % of the dimensions.

    Parameters
    ----------
    table : DataFrame
        Of one model and task.
    level : float
        Coverage of the intervals over draws.

    Raises
    ------
    InputError
        If the table is of another sweep.
    """
    *others, none = targets_of(table)
    judged = [one for target in others for one in _of_target(table, target, level)]
    for severity in sorted(set(where(table, metric=names.TARGET_ACCURACY)["delta"]) - {0.0}):
        for target in (*others, none):
            for claim in (adversary_falls, regulariser_stands):
                judged.append(claim(table, target=target, label_shift=float(severity), level=level))
    pairs = ((names.DANN, names.HEAD), (names.ALIGNED_STOPPED, names.STOPPED))
    return judged + [nothing_to_gain(table, *pair, level=level) for pair in pairs]


def helps(table: pd.DataFrame, probe: str, plain: str, *, target: str, level: float = 0.95) -> Claim:
    """Return the claim that one probe is more accurate on a target than another.

    Label alignment over least squares is that of Imani et al. (2024); DANN over the same head without reversal that of
    Ganin et al. (2016); label alignment over least squares stopped as a rule of its own chooses is a control: where it
    fails, what helps is to stop early.

    Parameters
    ----------
    table : DataFrame
    probe, plain : str
        Names of probes, each with the options of its rule in `names.CHOSEN`.
    target : str
    level : float

    Raises
    ------
    InputError
        If there are no such rows.
    """
    after, before = (reached_on(table, target, one) for one in (probe, plain))
    words = f"{PROBE_WORDS[probe]}, over {PROBE_WORDS[plain]}"
    return above_zero(
        name=f"{words}: {readable(target)}",
        statement=f"on a random {_share(table)}, {PROBE_WORDS[probe]} is more accurate on {readable(target)} than "
        f"{PROBE_WORDS[plain]}.",
        measured=f"Accuracy there is {_percents(after, before)}; the difference",
        differences=after - before,
        level=level,
    )


def part_keeps(table: pd.DataFrame, probe: str, *, target: str, level: float = 0.95) -> Claim:
    """Return the claim that on a random part a probe keeps 90 % of what it reaches on the whole layer; as `helps`."""
    part = reached_on(table, target, probe)
    whole = float(reached_on(table, target, probe, fraction=1.0).mean())
    return above_zero(
        name=f"a random {_share(table)} adapts as well by {PROBE_WORDS[probe]}: {readable(target)}",
        statement=f"on a random {_share(table)}, {PROBE_WORDS[probe]} keeps {percent(KEPT)} of its accuracy on "
        f"{readable(target)} with the whole layer.",
        measured=f"Accuracy there is {100 * part.mean():.1f} % against {100 * whole:.1f} %; the share that is kept, "
        f"less {KEPT:g}",
        differences=part / whole - KEPT,
        level=level,
    )


def adversary_falls(table: pd.DataFrame, *, target: str, label_shift: float, level: float = 0.95) -> Claim:
    """Return the claim that under a label shift DANN is less accurate than the source alone (Imani et al. 2024)."""
    head, dann = (reached_on(table, target, one, label_shift=label_shift) for one in (names.HEAD, names.DANN))
    return above_zero(
        name=f"DANN falls below source-only, {_rare(label_shift)}: {readable(target)}",
        statement=f"where half of the classes of {readable(target)} lack {percent(label_shift)} of their rows, a "
        "domain-adversarial head is less accurate there than the same head of the source alone.",
        measured=f"Accuracy of the source alone is {_percents(head, dann)}; the difference",
        differences=head - dann,
        level=level,
    )


def regulariser_stands(table: pd.DataFrame, *, target: str, label_shift: float, level: float = 0.95) -> Claim:
    """Return the claim that under a label shift label alignment loses at most a point to least squares."""
    probes = (names.ALIGNED_STOPPED, names.LEAST_SQUARES)
    after, before = (reached_on(table, target, one, label_shift=label_shift) for one in probes)
    value, low, high = intervals.mean_interval(after - before, level=level)
    spread = (
        f"{percent(level)} interval {low:+.3f} to {high:+.3f} over draws" if low == low else "one draw, no interval"
    )
    return judge(
        name=f"label alignment does not, {_rare(label_shift)}: {readable(target)}",
        statement=f"where half of the classes of {readable(target)} lack {percent(label_shift)} of their rows, label "
        f"alignment is at most {100 * AS_GOOD:g} point less accurate there than least squares on the source.",
        evidence=f"Accuracy is {_percents(after, before)}; the difference: {value:+.3f}, {spread}.",
        value=value,
        low=low,
        high=high,
        limit=-AS_GOOD,
    )


def nothing_to_gain(table: pd.DataFrame, probe: str, plain: str, *, level: float = 0.95) -> Claim:
    """Return the control: without a shift one probe is as accurate as the other, within two points; as `helps`."""
    after, before = (reached_on(table, names.NO_SHIFT, one) for one in (probe, plain))
    value, low, high = intervals.mean_interval(after - before, level=level)
    spread = (
        f"{percent(level)} interval {low:+.3f} to {high:+.3f} over draws" if low == low else "one draw, no interval"
    )
    return judge(
        name=f"control: without a shift nothing to gain, {PROBE_WORDS[probe]}",
        statement=f"between two halves of the same rows, {PROBE_WORDS[probe]} is as accurate as {PROBE_WORDS[plain]}, "
        f"within {100 * NOTHING:g} points.",
        evidence=f"Accuracy is {_percents(after, before)}; the difference: {value:+.3f}, {spread}.",
        value=value,
        low=low,
        high=high,
        limit=NOTHING,
        side="within",
    )


def _of_target(table: pd.DataFrame, target: str, level: float) -> Iterator[Claim]:
    pairs = [(names.ALIGNED_STOPPED, names.LEAST_SQUARES), (names.ALIGNED_STOPPED, names.STOPPED)]
    pairs += [(names.LABEL_ALIGNED, names.LEAST_SQUARES), (names.DANN, names.HEAD)]
    for probe, plain in pairs:
        yield helps(table, probe, plain, target=target, level=level)
    whole = where(table, label=target, fraction=1.0, metric=names.TARGET_ACCURACY)
    for probe in (names.ALIGNED_STOPPED, names.DANN):
        if len(where(whole, probe=probe)):
            yield part_keeps(table, probe, target=target, level=level)


def _share(table: pd.DataFrame) -> str:
    return percent(float(at_share(table, names.TARGET_ACCURACY, fraction=names.FRACTION)["fraction"].iloc[0]))


def _rare(label_shift: float) -> str:
    return f"label shift {label_shift:g}"


def _percents(after: pd.Series, before: pd.Series) -> str:
    return f"{100 * after.mean():.1f} % against {100 * before.mean():.1f} %"
