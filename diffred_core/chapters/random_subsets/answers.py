"""What each page of the chapter found, in a sentence with its numbers, and the verdicts on its claims."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from diffred_core.chapters.random_subsets import across, claims, claims_precision, names, tables
from diffred_core.chapters.random_subsets.answers_compared import compare as compare
from diffred_core.chapters.random_subsets.answers_measure import your_measure as your_measure
from diffred_core.chapters.random_subsets.reading import at_shares, shares_in_words
from diffred_core.drawing import Answer, Verdicts
from diffred_core.results import summarize, where
from diffred_core.results.claims import Claim, percent
from diffred_core.results.readable import cell_name
from diffred_core.results.rows import KEYS


def subset_probes(table: pd.DataFrame, *, level: float = 0.95) -> Answer:
    """Return how many random dimensions keep the accuracy, and what principal directions would.

    Parameters
    ----------
    table : DataFrame
        Of `random_subsets.probes`, one model and task.
    level : float
        As of `claims.all_claims`.

    Raises
    ------
    InputError
        If the table lacks what the claims are about.
    """
    judged = claims.all_claims(table, level=level)
    needed = across.needed_fractions(table, deltas=across.NEEDED_DELTAS)
    sentence = (
        f"With a {names.HEADLINE} probe {_shares_in_words(table, needed)} At {_share(table, names.PCA)} of the "
        f"dimensions PCA reaches {_accuracy(table, names.PCA)}, a random part {_accuracy(table, names.RANDOM)}. The "
        f"published claim, a random {percent(names.FRACTION)} within {100 * names.MARGIN:g} points of the full layer: "
        f"{judged[0].verdict}."
    )
    numbers = {f"{percent(row.delta)} kept by": percent(row.fraction) for row in needed.itertuples()}
    return Answer(sentence, judged, numbers)


def subset_similarity(table: pd.DataFrame, *, level: float = 0.95) -> Answer:
    """Return how like the layer its random parts are, beside what mere inclusion gives; as `subset_probes`."""
    alike = across.similarity_at(table, level=level)
    shares, cka, null = (
        [percent(share) for share in alike["fraction"]],
        *([f"{value:.3f}" for value in alike[column]] for column in ("mean", "null")),
    )
    sentence = (
        f"Random parts of {_and(shares)} of the dimensions have a CKA of {_and(cka)} with the whole layer; without "
        f"any redundancy it would be {_and(null)}."
    )
    numbers = {f"CKA at {share}": f"{a} ({b} by inclusion)" for share, a, b in zip(shares, cka, null, strict=True)}
    return Answer(sentence, claims.all_claims(table, level=level), numbers)


def precision(table: pd.DataFrame, *, margin: float = 0.01, level: float = 0.95) -> Answer:
    """Return what a lower precision changes in features, similarity and accuracy; as `subset_probes`.

    `margin` is that of `claims_precision.all_claims`.
    """
    errors = tables.errors_by_precision(table).set_index("precision")
    change = where(table, metric=names.CHANGE, method=names.FULL).set_index("label")["value"]
    reference, *others = errors.index
    parts = [
        f"{name} changes the features by {errors.loc[name, 'error (%)']:.2g} % and the accuracy of a probe on all of "
        f"them by {100 * change[name]:+.2f} points; the CKA of random parts with the layer moves by at most "
        f"{errors.loc[name, 'largest change of CKA']:.1g}"
        for name in others
    ]
    sentence = f"Against {reference}, {'; '.join(parts)}." if parts else f"Nothing was held against {reference}."
    numbers = {f"accuracy, {name}": f"{100 * change[name]:+.2f} points" for name in others}
    return Answer(sentence, claims_precision.all_claims(table, margin=margin, level=level), numbers)


def summary(
    probes: pd.DataFrame, similarity: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95
) -> Answer:
    """Return over all models and tasks what the accuracy needs and what a random part keeps.

    Parameters
    ----------
    probes, similarity : DataFrame
        Tables of subset_probes, and of subset_similarity, one below the other.
    fraction, level : float
        As of `across.summary_table`.
    """
    pairs = across.kept_accuracy(probes, fraction=fraction, level=level)
    needed = across.needed_fractions(probes, deltas=across.NEEDED_DELTAS).groupby("delta")["fraction"]
    shares = ", ".join(f"{percent(delta)} needs {_range(rows)}" for delta, rows in needed)
    shares = shares.replace("needs", "of the accuracy needs", 1)
    overall = across.kept_overall(probes, fraction=fraction, level=level)
    middle = (
        f"{100 * overall.estimate:.1f} % ({percent(level)} interval {100 * overall.low:.1f} to "
        f"{100 * overall.high:.1f}, draws resampled)"
    )
    kept = f"{_range(pairs['kept'], digits=1)} of the full layer's accuracy, in the middle half {middle}"
    sentence = (
        f"Over {len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'} of model and task, {shares} of the dimensions "
        f"({names.HEADLINE} probe). A random {shares_in_words(pairs['fraction'])} keeps {kept}."
    )
    judged = [claim for cell in across.claims_by_cell(probes, similarity, level=level).values() for claim in cell]
    return Answer(sentence, judged, in_full=False)


def verdicts(probes: pd.DataFrame, similarity: pd.DataFrame, *, level: float = 0.95) -> Verdicts:
    """Return every claim of `summary` on every model and task, and on every task, with its sentence."""
    cells = across.claims_by_cell(probes, similarity, level=level)
    by_cell: dict[str, list[Claim]] = {cell_name(model, task): held for (task, model), held in cells.items()}
    return Verdicts(by_cell, "Each verdict unfolds to its sentence.", level)


def _shares_in_words(table: pd.DataFrame, needed: pd.DataFrame) -> str:
    """Return ``90 % of the accuracy needs 15 % of the dimensions (192 of 1,280), 95 % 25 % (320).``."""
    tested = where(table, probe=names.HEADLINE, metric=names.ACCURACY, method=(names.RANDOM, names.FULL))
    sizes = tested.groupby("fraction")["n_selected"].first()
    d, parts = int(table["n_features"].iloc[0]), list[str]()
    for row in needed.itertuples():
        size = int(sizes[min(sizes.index, key=lambda share: abs(share - row.fraction))])
        of_all = "all of the" if size == d else f"{percent(row.fraction)} of the"
        first = f"of the accuracy needs {of_all} dimensions ({size:,} of {d:,})"
        later = "needs all" if size == d else f"needs {percent(row.fraction)} ({size:,})"
        parts.append(f"{percent(row.delta)} {later if parts else first}")
    return f"{', '.join(parts)}."


def _at_pca(table: pd.DataFrame, method: str) -> pd.DataFrame:
    rows = where(table, probe=names.HEADLINE, method=method, metric=names.ACCURACY)
    return at_shares(rows, [names.PCA_FRACTION])


def _share(table: pd.DataFrame, method: str) -> str:
    return shares_in_words(_at_pca(table, method)["fraction"])


def _accuracy(table: pd.DataFrame, method: str) -> str:
    return f"{100 * summarize(_at_pca(table, method), KEYS)['mean'].item():.1f} %"


def _range(shares: pd.Series, *, digits: int | None = None) -> str:
    low, high = (percent(x) if digits is None else f"{100 * x:.{digits}f} %" for x in (shares.min(), shares.max()))
    return low if low == high else f"{low} to {high}"


def _and(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
