"""What the page of the chapter found, in a sentence with its numbers, and the verdicts on its claims."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.spectra import claims, names
from diffred_core.chapters.spectra.reading import at_share, mean_at
from diffred_core.drawing import Answer
from diffred_core.results.claims import percent


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


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
