"""The rows of a report in memory: what maps are fitted on, searched and scored, with labels and judgements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from diffred_core import compression
from diffred_core.chapters.embeddings.parts import Parts, divide
from diffred_core.errors import InputError

SHARES = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)
MOST_MAP = 1 << 27  # numbers of a matrix, 512 MiB


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that is measured on.

    Attributes
    ----------
    fit, corpus, scored : Tensor (n, d) of float32
    parts : Parts
    y_fit, y_corpus, y_scored : LongTensor, or None without labels
    relevance : Tensor (n_scored, n_corpus) of int16, or None without judgements
    classes : sequence of str
    neighbours : int
    similarity : str
        What the report is about: ``cosine`` or ``dot``.
    notes : list of str
    """

    fit: Tensor
    corpus: Tensor
    scored: Tensor
    parts: Parts
    y_fit: Tensor | None
    y_corpus: Tensor | None
    y_scored: Tensor | None
    relevance: Tensor | None
    classes: Sequence[str]
    neighbours: int
    similarity: str
    notes: list[str]

    @property
    def d(self) -> int:
        """Width of the vectors."""
        return self.fit.shape[1]

    @cached_property
    def sizes(self) -> list[int]:
        """How many dimensions are kept: halves of halves, none twice."""
        return sorted({max(1, int(share * self.d)) for share in SHARES if share * self.d >= 1}, reverse=True)

    @cached_property
    def scores(self) -> dict[str, Tensor]:
        """Similarities of the full vectors by kind, (n_scored, n_corpus): a second kind is added when it is needed."""
        return {self.similarity: similarities(self.scored, self.corpus, self.similarity)}

    @cached_property
    def limits(self) -> dict[str, Tensor]:
        """Similarity of the last neighbour of every scored row, by kind; filled in as they are needed."""
        return {}


def similarities(queries: Tensor, corpus: Tensor, kind: str) -> Tensor:
    """Return cosines or inner products, (n_queries, n_corpus)."""
    if kind == "cosine":
        queries, corpus = compression.unit_rows(queries), compression.unit_rows(corpus)
    return queries @ corpus.T


def make_scene(
    X: np.ndarray,
    y: np.ndarray | None,
    queries: np.ndarray | None,
    qrels: np.ndarray | None,
    *,
    classes: Sequence[str] | None,
    neighbours: int,
    similarity: str,
    seed: int,
) -> Scene:
    """Return the scene of arrays as a user has them.

    Raises
    ------
    InputError
        If the arrays do not fit each other, are not finite, hold zero vectors under cosine, or are too few.
    """
    X = np.asarray(X)
    if X.ndim != 2 or 0 in X.shape or X.dtype.kind not in "fiu":
        raise InputError(f"expected X of shape (n_samples, n_features) and numbers, got {X.shape} of {X.dtype}")
    if (queries is None) != (qrels is None):
        raise InputError("expected queries and qrels together, got one of them; pass both, or none")
    y, notes = _checked_labels(y, len(X))
    n_queries = 0 if queries is None else len(queries)
    parts = divide(X, y, qrels, neighbours=neighbours, seed=seed, n_queries=n_queries)
    _refuse_zeros(compression.check_finite(X), similarity, "X")
    corpus, fit = compression.sampled(X, parts.corpus), compression.sampled(X, parts.fit)
    if queries is None:
        scored = compression.sampled(X, parts.scored)
    else:
        _refuse_zeros(compression.check_finite(np.asarray(queries), name="queries"), similarity, "queries")
        scored = compression.sampled(np.asarray(queries), parts.scored)
    of_rows = [None if y is None else torch.from_numpy(y[rows]) for rows in (parts.fit, parts.corpus, parts.scored)]
    if queries is not None:
        of_rows[2] = None
    known = classes if classes else [] if y is None else [str(c) for c in range(int(y.max()) + 1)]
    notes += [*parts.notes, *_peculiar(fit, corpus, scored)]
    relevance = None if qrels is None else _relevance(np.asarray(qrels), parts)
    return Scene(
        fit,
        corpus,
        scored,
        parts,
        y_fit=of_rows[0],
        y_corpus=of_rows[1],
        y_scored=of_rows[2],
        relevance=relevance,
        classes=known,
        neighbours=neighbours,
        similarity=similarity,
        notes=notes,
    )


def _checked_labels(y: np.ndarray | None, n: int) -> tuple[np.ndarray | None, list[str]]:
    if y is None:
        return None, []
    y = np.asarray(y)
    if y.shape != (n,):
        raise InputError(
            f"expected one label for each of {n} vectors, got {y.shape[0] if y.ndim else 'none'}; "
            "pass labels of the same rows, in the same order"
        )
    if y.dtype.kind not in "iu":
        y = np.unique(y, return_inverse=True)[1]
    if len(np.unique(y)) < 2:
        return None, ["All labels name one class, which leaves nothing to tell apart: measured as without labels."]
    counts = np.unique(y, return_counts=True)[1]
    if counts[counts > 1].sum() < n / 2:
        raise InputError(
            f"expected labels that several rows share, got {len(counts)} classes in {n} rows, "
            f"{int((counts == 1).sum())} of them with one row; leave the labels out if they are ids"
        )
    return y.astype(np.int64), []


def _refuse_zeros(zero: np.ndarray, similarity: str, name: str) -> None:
    if similarity == "cosine" and zero.any():
        raise InputError(
            f"expected vectors of some length for cosines, got {int(zero.sum())} zero vectors in {name}, the first in "
            f"row {int(zero.argmax())}; drop them, or take similarity dot"
        )


def _peculiar(fit: Tensor, corpus: Tensor, scored: Tensor) -> list[str]:
    """Return sentences on constant columns and duplicates."""
    notes, constant = [], (fit.amax(0) == fit.amin(0)).nonzero()[:, 0].tolist()
    if constant:
        notes.append(f"{len(constant)} columns are constant and tell nothing, the first is column {constant[0]}.")
    rows = [hash(row.tobytes()) for part in (fit, corpus, scored) for row in part.numpy()]
    if repeated := len(rows) - len(set(rows)):
        notes.append(
            f"{repeated} of {len(rows)} rows in use equal another one; of equal neighbours any counts as right."
        )
    return notes


def _relevance(qrels: np.ndarray, parts: Parts) -> Tensor:
    dense = torch.zeros(len(parts.scored), len(parts.corpus), dtype=torch.int16)
    places = [{int(row): place for place, row in enumerate(rows)} for rows in (parts.scored, parts.corpus)]
    for query, document, grade in qrels.tolist():
        if query in places[0] and document in places[1]:
            dense[places[0][query], places[1][document]] = max(0, grade)
    return dense
