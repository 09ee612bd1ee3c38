"""What the page of the published scores found, in a sentence with its numbers, and the verdicts on its claims."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.embeddings import names_published as names
from diffred_core.chapters.embeddings.claims_published import published_claims
from diffred_core.drawing import Answer, Verdicts
from diffred_core.results import where
from diffred_core.results.claims import Claim


def compression_published(table: pd.DataFrame) -> Answer:
    """Return what a quarter and a thirty-second of the bytes keep, in bits and in dimensions, over the encoders.

    Parameters
    ----------
    table : DataFrame
        Of `embeddings.published_scores`.
    """
    kept = where(table, metric=names.KEPT, method=names.DIMENSIONS)
    eight, quarter = _range(kept, 1, names.EIGHT_BITS), _range(kept, 1 / 4, names.FULL)
    one, eighth = _range(kept, 1, names.AT_MEDIAN), _range(kept, 1 / 8, names.EIGHT_BITS)
    sentence = (
        f"At a quarter of the bytes 8 bits of all dimensions keep {eight} of the full retrieval score over "
        f"{kept['model'].nunique()} encoders, 32 bits of the first quarter {quarter}; at a thirty-second 1 bit of all "
        f"dimensions keeps {one}, 8 bits of the first eighth {eighth}. The low ends are of encoders that were not "
        "trained for prefixes."
    )
    return Answer(sentence, [claim for held in _claims(table).values() for claim in held], in_full=False)


def published_verdicts(table: pd.DataFrame) -> Verdicts:
    """Return every claim of `compression_published` on every encoder, with its sentence."""
    named = {names.ENCODERS.get(encoder, encoder): held for encoder, held in _claims(table).items()}
    return Verdicts(named, "Each verdict unfolds to its sentence.")


def _claims(table: pd.DataFrame) -> dict[str, list[Claim]]:
    encoders = [str(name) for name in where(table, metric=names.KEPT)["model"].unique()]
    return {encoder: published_claims(table, encoder) for encoder in encoders}


def _range(kept: pd.DataFrame, share: float, recipe: str) -> str:
    rows = kept[(kept["n_selected"] == (share * kept["n_features"]).round()) & (kept["recipe"] == recipe)]["value"]
    return f"{100 * rows.min():.1f} to {100 * rows.max():.1f} %"
