"""What the related papers say, held against a table of one model and task: each with its numbers and a verdict.

Differences are taken draw by draw, and their interval is Student's over draws.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.reading import at_share, draws_at, mean_at
from diffred_core.results import where
from diffred_core.results.claims import Claim, Side, above_zero, judge, percent

TIGHT = 0.1  # of CDNV: "as tight" is within a tenth
AS_ACCURATE = 0.01  # in accuracy, between axes
NO_RISK = 1e-12  # of a start at the target itself: rounding
LITTLE = 0.1  # of the squared gradient; of predictions a tenth of that


def all_claims(table: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95) -> list[Claim]:
    """Return the claims about a table of `spectra`; those about what was not measured are left out.

    Parameters
    ----------
    table : DataFrame
        Of one model and task.
    fraction : float
        Share of the dimensions; judged is the nearest one that was measured, which names and statements say.
    level : float
        Coverage of the intervals over draws.

    Raises
    ------
    InputError
        If the table is of another sweep, or lacks what a claim is about.
    """
    options = {"fraction": fraction, "level": level}
    judged = [claim(table, **options) for claim in (labels_lead, classes_stay_tight, axes_do_not_matter)]
    judged += [claim(table, **options) for claim in (little_is_left_to_gain, tail_noise_turns_little)]
    if len(where(table, method=names.UNTRAINED)):
        judged.insert(1, training_aligns(table, **options))
    if len(where(table, metric=names.COMPLEXITY)):
        judged.append(parts_are_rougher(table, **options))
    for other in where(table, metric=names.DISTANCE)["label"].unique():
        judged.append(domains_stay_apart(table, other=other, **options))
        if len(where(table, metric=names.WARM_START, label=other)):
            judged.append(warm_start_helps(table, other=other, **options))
        judged.append(alignment_helps(table, other=other, **options))
        if len(where(table, probe=names.DANN, label=other)):
            judged.append(domain_adversary_helps(table, other=other, level=level))
    return judged


def labels_lead(table: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95) -> Claim:
    """Return the claim that labels lie in the leading directions of a random part (Imani et al. 2022).

    As many directions as classes less one hold more of their energy than of labels in another order.

    Parameters
    ----------
    table, fraction, level
        As in `all_claims`.

    Raises
    ------
    InputError
        If the table has no such rows.
    """
    return _leads(table, names.SHUFFLED, "than of shuffled ones", "labels lead", fraction=fraction, level=level)


def training_aligns(table: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95) -> Claim:
    """Return the claim that training puts the labels there: the untrained network has less; as `labels_lead`."""
    words = "than those of the network before training"
    return _leads(table, names.UNTRAINED, words, "training aligns", fraction=fraction, level=level)


def classes_stay_tight(table: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95) -> Claim:
    """Return the claim that the classes of a random part are as tight as those of the layer; as `labels_lead`.

    Their class-distance normalized variance (Galanti et al. 2022) is within a tenth of the layer's.
    """
    whole, share = mean_at(table, names.CDNV, fraction=1.0), _share(table, names.CDNV, fraction)
    parts = draws_at(table, names.CDNV, fraction=fraction)
    return _judged(
        parts / whole - 1,
        name=f"classes stay as tight at {share}",
        statement=f"the classes of a random {share} are as tight as those of the layer, within {percent(TIGHT)}.",
        measured=f"CDNV is {parts.mean():.3f} against {whole:.3f}; relative to that",
        limit=TIGHT,
        side="within",
        level=level,
    )


def axes_do_not_matter(table: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95) -> Claim:
    """Return the claim that dimensions are no special axes (Elhage et al. 2022); as `labels_lead`.

    A probe on random dimensions is as accurate, within a point, as one on as many dimensions of the rotated layer.
    """
    share = _share(table, names.ACCURACY, fraction)
    plain, turned = (
        draws_at(table, names.ACCURACY, method=m, fraction=fraction) for m in (names.RANDOM, names.ROTATED)
    )
    return _judged(
        plain - turned,
        name=f"axes do not matter at {share}",
        statement=f"a random {share} of the dimensions is as accurate as as many of the rotated layer, within "
        f"{100 * AS_ACCURATE:g} point.",
        measured=f"Accuracy is {100 * plain.mean():.1f} % against {100 * turned.mean():.1f} %; the difference",
        limit=AS_ACCURATE,
        side="within",
        level=level,
    )


def little_is_left_to_gain(table: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95) -> Claim:
    """Return the claim that the features left out would get little gradient (Evci et al. 2022); as `labels_lead`.

    The squared gradient that new units would get, in all features, is at most a tenth of that without a probe.
    """
    share = _share(table, names.GRADIENT_LEFT, fraction)
    return _judged(
        draws_at(table, names.GRADIENT_LEFT, fraction=fraction),
        name=f"little gradient is left at {share}",
        statement=f"a probe on a random {share} leaves at most {percent(LITTLE)} of the squared gradient to the layer.",
        measured="The share that is left",
        limit=LITTLE,
        side="below",
        level=level,
    )


def tail_noise_turns_little(table: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95) -> Claim:
    """Return the claim that noise off the data turns few predictions of a ridge probe (He et al. 2022).

    As `labels_lead`. The data fill no subspace exactly: the tail is what the leading 99 % of the variance leave.
    """
    share = _share(table, names.FLIPS, fraction)
    return _judged(
        draws_at(table, names.FLIPS, fraction=fraction),
        name=f"tail noise turns little at {share}",
        statement=f"noise outside the leading directions turns at most {percent(LITTLE / 10)} of the predictions on a "
        f"random {share}.",
        measured="The share that is turned",
        limit=LITTLE / 10,
        side="below",
        level=level,
    )


def parts_are_rougher(table: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95) -> Claim:
    """Return the claim that network and probe are a rougher function of the image on fewer dimensions.

    Geometric complexity (Dherin et al. 2022), relative to the whole layer's; as `labels_lead`.
    """
    whole, share = mean_at(table, names.COMPLEXITY, fraction=1.0), _share(table, names.COMPLEXITY, fraction)
    parts = draws_at(table, names.COMPLEXITY, fraction=fraction)
    return above_zero(
        name=f"rougher at {share}",
        statement=f"network and probe are rougher on a random {share} than on the layer.",
        measured=f"Geometric complexity is {parts.mean():.3g} against {whole:.3g}; the logarithm of their ratio",
        differences=np.log(parts / whole),
        level=level,
    )


def domains_stay_apart(
    table: pd.DataFrame, *, other: str, fraction: float = names.FRACTION, level: float = 0.95
) -> Claim:
    """Return the claim that a random part tells two domains apart beyond chance (Ganin et al. 2016).

    As `labels_lead`; `other` is the second domain. Chance is that of domains at random.
    """
    rows = where(table, label=other)
    share = _share(rows, names.DISTANCE, fraction)
    apart, chance = (
        draws_at(rows, names.DISTANCE, method=m, fraction=fraction) for m in (names.RANDOM, names.SHUFFLED)
    )
    return above_zero(
        name=f"domains stay apart at {share}",
        statement=f"a random {share} tells {other} from the task.",
        measured=f"The proxy A-distance is {apart.mean():.2f} against {chance.mean():.2f} of random domains",
        differences=apart - chance,
        level=level,
    )


def warm_start_helps(
    table: pd.DataFrame, *, other: str, fraction: float = names.FRACTION, level: float = 0.95
) -> Claim:
    """Return the claim that a start at the probe of another domain has less risk than one at 0 (Shachaf et al. 2021).

    As `domains_stay_apart`.
    """
    rows = where(table, label=other)
    share = _share(rows, names.WARM_START, fraction)
    log = np.log(draws_at(rows, names.WARM_START, fraction=fraction).clip(lower=NO_RISK))
    return above_zero(
        name=f"warm start helps at {share}",
        statement=f"on a random {share} fine-tuning from the probe of {other} has less risk than from 0.",
        measured=f"The ratio of the risks is {np.exp(log.mean()):.3g} (geometric mean); the logarithm of its inverse",
        differences=-log,
        level=level,
    )


def alignment_helps(table: pd.DataFrame, *, other: str, fraction: float = names.FRACTION, level: float = 0.95) -> Claim:
    """Return the claim that label alignment regularisation is more accurate there than least squares.

    Imani et al. 2024, without labels of the other domain; as `domains_stay_apart`.
    """
    rows = where(table, label=other)
    aligned, plain = (where(rows, probe=probe) for probe in (names.LABEL_ALIGNED, names.LEAST_SQUARES))
    share = _share(aligned, names.TARGET_ACCURACY, fraction)
    after, before = (draws_at(part, names.TARGET_ACCURACY, fraction=fraction) for part in (aligned, plain))
    return above_zero(
        name=f"label alignment helps at {share}",
        statement=f"on a random {share} the regulariser makes a least-squares probe more accurate on {other}.",
        measured=f"Accuracy there is {100 * after.mean():.1f} % against {100 * before.mean():.1f} %; the difference",
        differences=after - before,
        level=level,
    )


def domain_adversary_helps(table: pd.DataFrame, *, other: str, level: float = 0.95) -> Claim:
    """Return the claim that a head is more accurate there for a domain classifier that it is trained against.

    Ganin et al. 2016, on the whole layer; as `domains_stay_apart`.
    """
    rows = where(table, label=other)
    after, before = (
        draws_at(where(rows, probe=probe), names.TARGET_ACCURACY, fraction=1.0) for probe in (names.DANN, names.HEAD)
    )
    return above_zero(
        name="domain adversary helps",
        statement=f"on the whole layer a head that is trained against a domain classifier is more accurate on {other}.",
        measured=f"Accuracy there is {100 * after.mean():.1f} % against {100 * before.mean():.1f} %; the difference",
        differences=after - before,
        level=level,
        over="heads",
    )


def _leads(table: pd.DataFrame, floor: str, words: str, name: str, *, fraction: float, level: float) -> Claim:
    share = _share(table, names.TOP_ENERGY, fraction)
    energy, least = (draws_at(table, names.TOP_ENERGY, method=m, fraction=fraction) for m in (names.RANDOM, floor))
    return above_zero(
        name=f"{name} at {share}",
        statement=f"the first C - 1 directions of a random {share} hold more of the label energy {words}.",
        measured=f"They hold {100 * energy.mean():.1f} % against {100 * least.mean():.1f} %; the difference",
        differences=energy - least,
        level=level,
    )


def _judged(
    values: pd.Series, *, name: str, statement: str, measured: str, limit: float, side: Side, level: float
) -> Claim:
    """Return the claim that the mean over draws lies on one side of a limit, with its Student t interval."""
    value, low, high = intervals.mean_interval(values.dropna(), level=level)
    spread = f"{percent(level)} interval {low:.4f} to {high:.4f} over draws" if low == low else "one draw, no interval"
    evidence = f"{measured}: {value:.4f}, {spread}."
    options = {"value": value, "low": low, "high": high, "limit": limit}
    return judge(name=name, statement=statement, evidence=evidence, **options, side=side)


def _share(table: pd.DataFrame, metric: str, fraction: float) -> str:
    return percent(float(at_share(table, metric, fraction=fraction)["fraction"].iloc[0]))
