"""Which rows do what: fit the maps, are searched, choose, or are scored; none does two of these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffred_core.chapters.embeddings import names
from diffred_core.errors import InputError

MOST_SCORED = 1000  # half of them choose; 500 give a share of one half within 0.045 at 95 %
MOST_ROWS = 10_000  # searched, and as many to fit on
MOST_CELLS = 1 << 25  # numbers in memory of each of these, 128 MiB
FEWEST = 40


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows of X by what they do, and what is to be said of it.

    Attributes
    ----------
    fit, corpus : ndarray of int64
        Rows of X on which maps and formats are fitted; that are searched.
    scored : ndarray of int64
        Rows of X, or of the queries where there are judgements, that ask: at even places they choose.
    notes : tuple of str
        Sentences.
    """

    fit: np.ndarray
    corpus: np.ndarray
    scored: np.ndarray
    notes: tuple[str, ...]

    @property
    def halves(self) -> dict[str, np.ndarray]:
        """Places among the scored rows that choose, and that are tested on."""
        places = np.arange(len(self.scored))
        return {names.CHOICE: places[::2], names.TEST: places[1::2]}


def divide(
    X: np.ndarray, y: np.ndarray | None, qrels: np.ndarray | None, *, neighbours: int, seed: int, n_queries: int = 0
) -> Parts:
    """Return the parts of the rows: at most 10,000 to fit on and to search, 1,000 to score; stratified by class.

    Where there are judgements the queries are scored, the judged documents and others at random are searched, and
    maps are fitted on documents that nobody judged, as far as there are enough of them.

    Raises
    ------
    InputError
        If there are too few rows for as many neighbours.
    """
    n, least = len(X), max(FEWEST, 3 * (neighbours + 1))
    if n < least:
        raise InputError(
            f"expected at least {least} rows for {neighbours} neighbours (a quarter is scored, the rest searched and "
            f"fitted on), got {n}; add rows, or ask for fewer neighbours"
        )
    rng, most = np.random.default_rng(seed), max(least, min(MOST_ROWS, MOST_CELLS // X.shape[1]))
    if qrels is not None:
        return _by_judgements(n, qrels, rng, most, n_queries)
    order, notes = _order(n, y, rng)
    n_scored = min(MOST_SCORED, len(order) // 4)
    n_corpus = min(most, (len(order) - n_scored) // 2)
    ends = np.cumsum([n_scored, n_corpus, min(most, len(order) - n_scored - n_corpus)])
    scored, corpus, fit = (order[start:end] for start, end in zip((0, *ends[:-1]), ends, strict=True))
    if ends[-1] < len(order):
        notes.append(_sampling(int(ends[-1]), n))
    return Parts(rng.permutation(fit), rng.permutation(corpus), scored, tuple(notes))


def _order(n: int, y: np.ndarray | None, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Return a random order of rows of which every stretch has all classes in proportion, and what is left out."""
    if y is None:
        return rng.permutation(n), []
    counts = np.bincount(y)
    single, notes = np.flatnonzero(counts == 1), []
    shuffled = rng.permutation(n)
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    place = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)  # within the class
    key = (place + rng.random(n)) / np.repeat(counts, counts)
    order = by_class[np.argsort(key, kind="stable")]
    if len(single):
        order = order[~np.isin(y[order], single)]
        notes.append(f"{len(single)} classes with one row are left out: a class needs rows to fit on and to score.")
    return order, notes


def _by_judgements(n: int, qrels: np.ndarray, rng: np.random.Generator, most: int, n_queries: int) -> Parts:
    relevant = np.unique(qrels[qrels[:, 2] > 0, 0])
    scored = rng.permutation(relevant)[:MOST_SCORED]
    if len(scored) < 10:
        raise InputError(
            f"expected at least 10 queries with a relevant document, got {len(scored)}; judge more queries"
        )
    judged = np.unique(qrels[np.isin(qrels[:, 0], scored), 1])
    others = rng.permutation(np.setdiff1d(np.arange(n), judged))
    n_other = max(0, min(2 * most - len(judged), len(others)))
    fit = others[n_other : n_other + most]
    notes = [] if len(judged) + n_other == n else [_sampling(len(judged) + n_other, n)]
    if len(fit) < most:
        fit = rng.permutation(n)[:most]
        notes.append(
            "Maps and formats are fitted on documents that are searched too; no query and no judgement is seen."
        )
    if len(scored) < n_queries:
        notes.append(f"{len(scored)} of {n_queries} queries are scored: those with a relevant document, 1,000 at most.")
    return Parts(fit, rng.permutation(np.concatenate([judged, others[:n_other]])), scored, tuple(notes))


def _sampling(n_used: int, n: int) -> str:
    return (
        f"{n_used:,} of {n:,} rows are used, drawn at random; intervals are over the scored rows. A search among more "
        "rows is harder: recall falls with their number."
    )
