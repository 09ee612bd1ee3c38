"""What each page of the chapter found, in a sentence with its numbers, and the verdicts on its claims."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.spectra import claims, claims_across, claims_adaptation, claims_similarity, names, relations
from diffred_core.chapters.spectra.matching import INDEX_WORDS, by_pair, components
from diffred_core.chapters.spectra.reading import MEASURES, at_share, mean_at, reached_on, targets_of
from diffred_core.drawing import Answer, Verdicts
from diffred_core.results import where
from diffred_core.results.claims import percent
from diffred_core.results.readable import cell_name, readable


def spectra(table: pd.DataFrame) -> Answer:
    """Return what a random part of the layer keeps of labels, classes and gradient, beside the layer and the floors.

    Parameters
    ----------
    table : DataFrame
        Of `spectra.spectra`, one model and task.

    Raises
    ------
    InputError
        If the table lacks what the claims are about.
    """
    share = percent(float(at_share(table, names.TOP_ENERGY, fraction=names.FRACTION)["fraction"].iloc[0]))
    part, whole = (
        {metric: mean_at(table, metric, fraction=f) for metric in (names.TOP_ENERGY, names.CDNV, names.ACCURACY)}
        for f in (names.FRACTION, 1.0)
    )
    floor = mean_at(table, names.TOP_ENERGY, method=names.SHUFFLED, fraction=names.FRACTION)
    turned = mean_at(table, names.ACCURACY, method=names.ROTATED, fraction=names.FRACTION)
    left = mean_at(table, names.GRADIENT_LEFT, fraction=names.FRACTION)
    sentence = (
        f"The first C - 1 directions of a random {share} hold {_percent(part[names.TOP_ENERGY])} of the label energy, "
        f"those of the layer {_percent(whole[names.TOP_ENERGY])}, and of shuffled labels {_percent(floor)}. Classes "
        f"are {part[names.CDNV] / whole[names.CDNV]:.2f} times as loose as in the layer (CDNV). A ridge probe reaches "
        f"{_percent(part[names.ACCURACY])} there ({_percent(turned)} on as many dimensions of the rotated layer, "
        f"{_percent(whole[names.ACCURACY])} on all), and leaves {_percent(left)} of the gradient to the rest."
    )
    numbers = {
        f"label energy, {share}": _percent(part[names.TOP_ENERGY]),
        "label energy, layer": _percent(whole[names.TOP_ENERGY]),
        f"CDNV, {share} over layer": f"{part[names.CDNV] / whole[names.CDNV]:.2f}",
        f"gradient left, {share}": _percent(left),
    }
    return Answer(sentence, claims.all_claims(table), numbers)


def spectra_summary(table: pd.DataFrame) -> Answer:
    """Return which measure goes best with redundancy, and what it predicts on a task that was not seen.

    Parameters
    ----------
    table : DataFrame
        Of `across.summary_table`.
    """
    overall = claims_across.of_all(table)
    related = where(table, metric=names.CORRELATION + names.REDUNDANCY, layer=names.PENULTIMATE, fraction=1.0)
    if related.empty:
        return Answer("Fewer than three pairs of network and task have all tables: nothing can be related.", overall)
    kinds = {"over all": relations.ALONE, "given the full accuracy": relations.GIVEN, "within tasks": relations.WITHIN}
    words = [f"{name} {_strongest(where(related, method=kind))}" for name, kind in kinds.items()]
    sentence = (
        f"Of {related['label'].nunique()} measures of a whole last layer, over {int(related['n'].max())} pairs of "
        f"network and task, the strongest rank correlation with diffused redundancy has {'; '.join(words)}."
    )
    errors = where(table, metric=names.ERROR + names.REDUNDANCY, layer=names.PENULTIMATE, fraction=1.0)
    by_fit = errors.set_index("label")["value"].astype(float)
    if len(by_fit):
        sentence += (
            f" On a task that was held out, the measure that does best on the others is off by "
            f"{100 * by_fit[names.BEST]:.1f} points of redundancy, the full accuracy by "
            f"{100 * by_fit[names.FULL_ACCURACY]:.1f}, the mean of the other tasks by {100 * by_fit[names.MEAN]:.1f}."
        )
    part = where(table, metric=names.ERROR + names.PART_ACCURACY, fraction=names.FRACTION).set_index("label")["value"]
    if len(part):
        sentence += (
            f" Of a random {percent(names.FRACTION)} the best measure elsewhere is off by {100 * part[names.BEST]:.1f} "
            f"points of its accuracy, the full accuracy by {100 * part[names.FULL_ACCURACY]:.1f}, the mean by "
            f"{100 * part[names.MEAN]:.1f}."
        )
    return Answer(sentence, overall)


def verdicts(cells: claims_across.ByCell, *, level: float = 0.95) -> Verdicts:
    """Return the verdicts of `claims_across.claims_by_cell`, every network and task beside the others."""
    named = {cell_name(model, task): claims for (task, model), claims in cells.items()}
    return Verdicts(named, "Each verdict unfolds to its sentence.", level=level)


def _strongest(rows: pd.DataFrame) -> str:
    row = rows.loc[rows["value"].abs().idxmax()]
    return f"{MEASURES[row['label']]}, {row['value']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def adaptation(table: pd.DataFrame) -> Answer:
    """Return what probes and heads of a task reach in another domain that they see without labels.

    Parameters
    ----------
    table : DataFrame
        Of `spectra.adaptation`, one model and task; the sentence is about the first target.

    Raises
    ------
    InputError
        If the table lacks what the claims are about.
    """
    target, *_ = targets_of(table)
    share = percent(float(at_share(table, names.TARGET_ACCURACY, fraction=names.FRACTION)["fraction"].iloc[0]))
    plain, stopped, aligned, own, head, dann = (
        float(reached_on(table, target, probe).mean())
        for probe in (
            *(names.LEAST_SQUARES, names.STOPPED, names.ALIGNED_STOPPED, names.ORACLE),
            *(names.HEAD, names.DANN),
        )
    )
    shifts = sorted(set(table["delta"].dropna()) - {0.0})
    rare = [
        f" Where half of the classes lack {percent(shifts[-1])} of their rows, it is "
        f"{_percent(float(reached_on(table, target, names.DANN, label_shift=shifts[-1]).mean()))} against "
        f"{_percent(float(reached_on(table, target, names.HEAD, label_shift=shifts[-1]).mean()))}."
        for _ in shifts[-1:]
    ]
    sentence = (
        f"On {readable(target)}, a least-squares probe of the task on a random {share} of the dimensions is right for "
        f"{_percent(plain)}. Label alignment with the images there, stopped early, makes that {_percent(aligned)}; "
        f"least squares stopped early alone, {_percent(stopped)}; the labels there, {_percent(own)}. A head trained "
        f"against a domain classifier (DANN) reaches {_percent(dann)}, the same head without it {_percent(head)}."
        f"{''.join(rare)}"
    )
    numbers = {
        f"least squares, {share}": _percent(plain),
        f"label alignment, {share}": _percent(aligned),
        f"own labels, {share}": _percent(own),
        f"DANN over source-only, {share}": f"{100 * (dann - head):+.1f} points",
    }
    return Answer(sentence, claims_adaptation.all_claims(table), numbers)


def similarity_across(table: pd.DataFrame) -> Answer:
    """Return which index finds the same layer in another seed, and what CKA does not see of a task.

    Parameters
    ----------
    table : DataFrame
        Of `spectra.similarity_across`.

    Raises
    ------
    InputError
        If the table lacks what the claims are about.
    """
    rows = components(table)
    k = int((rows[names.CKA] >= claims_similarity.ALIKE).idxmax())
    share = float(rows.loc[k, names.ENERGY] / rows[names.ENERGY].iloc[-1])
    sentence = (
        f"The first {k} principal components of the layer have CKA {rows.loc[k, names.CKA]:.2f} with it and hold "
        f"{_percent(share)} of its label energy."
    )
    numbers = {"components at CKA 0.95": str(k), "label energy they hold": _percent(share)}
    seeds = set(where(table, method=names.BETWEEN_SEEDS)["metric"])
    if seeds:
        matched = {index: float(by_pair(table, index).mean()) for index in INDEX_WORDS if index in seeds}
        sentence += " The same layer of a network of another seed is found for "
        sentence += ", ".join(f"{_percent(value)} of the layers by {INDEX_WORDS[i]}" for i, value in matched.items())
        numbers |= {f"layers found by {INDEX_WORDS[i]}": _percent(matched[i]) for i in ("cka", "svcca") if i in matched}
        sentence += "."
    return Answer(sentence, claims_similarity.all_claims(table), numbers)
