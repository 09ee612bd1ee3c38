"""Vectors for a report on embeddings: labels, ids, queries and judgements are optional, rows are not split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffred_core import files
from diffred_core.errors import InputError
from diffred_core.features._embedding_files import class_codes, read_arrays, text_rows


@dataclass(frozen=True, eq=False)
class Vectors:
    """What a report on embeddings is made of.

    Attributes
    ----------
    model, task : str
        Names, for tables.
    X : ndarray (n_samples, n_features)
        Maybe memory-mapped, of any numbers.
    keys : dict of str to str
        Digests of the files, or keys of the stored features.
    y : ndarray (n_samples,) of int64, or None
    classes : tuple of str
        Readable class names; empty without labels.
    queries : ndarray (n_queries, n_features) or None
    qrels : ndarray (n_judgements, 3) of int64, or None
        Row of a query, row of X, relevance.
    """

    model: str
    task: str
    X: np.ndarray
    keys: dict[str, str]
    y: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    queries: np.ndarray | None = None
    qrels: np.ndarray | None = None


def read_vectors(
    path: Path,
    *,
    model: str,
    task: str,
    vectors: str | None = None,
    labels: str | None = None,
    ids: str | None = None,
    queries: str | None = None,
    qrels: str | None = None,
) -> Vectors:
    """Read vectors with what else there is beside them.

    Parameters
    ----------
    path, vectors, labels, ids
        As in `read_arrays`; ``labels="none"`` leaves them unread.
    model, task : str
        Names, for tables.
    queries : str, optional
        File of the vectors of queries, by the same keys.
    qrels : str, optional
        File of relevance judgements: ``query 0 document relevance`` (TREC), ``query document relevance``, or two
        columns. Ids that no file has are the numbers of rows, from 0.

    Raises
    ------
    InputError
        As `read_arrays`; if queries have another width, judgements name unknown ids, or one comes without the other.
    """
    unread = labels == "none"
    arrays = read_arrays(path, vectors=vectors, labels=None if unread else labels, ids=ids)
    classes: tuple[str, ...] = ()
    y = None
    if arrays.labels is not None and not unread:
        classes, y = class_codes(arrays.labels, len(arrays.X), path)
    if (queries is None) != (qrels is None):
        raise InputError(
            f"expected queries and judgements together, got only {'queries' if qrels is None else 'judgements'}; "
            "pass both, or none"
        )
    keys = {"vectors": files.sha256(path)}
    if queries is None or qrels is None:
        return Vectors(model, task, arrays.X, keys, y=y, classes=classes)
    asking = read_arrays(Path(queries).expanduser(), vectors=vectors)
    if asking.X.shape[1] != arrays.X.shape[1]:
        raise InputError(
            f"expected queries of {arrays.X.shape[1]} dimensions as the vectors have, got {asking.X.shape[1]} in "
            f"{queries!r}; take both from one model"
        )
    known = [_names(asking.ids, len(asking.X)), _names(arrays.ids, len(arrays.X))]
    judgements = read_qrels(Path(qrels).expanduser(), queries=known[0], documents=known[1])
    keys |= {"queries": files.sha256(Path(queries).expanduser()), "qrels": files.sha256(Path(qrels).expanduser())}
    return Vectors(model, task, arrays.X, keys, y=y, classes=classes, queries=asking.X, qrels=judgements)


def read_qrels(path: Path, *, queries: Sequence[str], documents: Sequence[str]) -> np.ndarray:
    """Return relevance judgements as rows of queries, rows of documents and relevance, (n_judgements, 3) int64.

    Raises
    ------
    InputError
        If the file is missing, has other columns, names unknown ids, or judges nothing relevant.
    """
    if not path.is_file():
        raise InputError(f"expected a file of relevance judgements, but there is none at {str(path)!r}; check the path")
    triples = [_triple(line, path) for line in text_rows(path)]
    if triples and not _is_number(triples[0][2]):
        triples = triples[1:]
    places = [{name: row for row, name in enumerate(names)} for names in (queries, documents)]
    if triples and len(text_rows(path)[0]) == 2 and triples[0][0] not in places[0]:
        triples = triples[1:]  # a header over two columns
    for at, what in enumerate(("queries", "documents")):
        unknown = sorted({triple[at] for triple in triples} - set(places[at]))
        if unknown:
            raise InputError(
                f"expected judgements of known {what} in {str(path)!r}, got {len(unknown)} unknown ids such as "
                f"{unknown[0]!r}; pass the ids of the {what}, or leave those lines out"
            )
    rows = np.array(
        [(places[0][q], places[1][d], round(float(relevance))) for q, d, relevance in triples], dtype=np.int64
    ).reshape(-1, 3)
    if not (rows[:, 2] > 0).any():
        raise InputError(f"expected at least one relevant document in {str(path)!r}, got none; check its columns")
    return rows


def _triple(line: list[str], path: Path) -> tuple[str, str, str]:
    fields = [field.strip() for field in line]
    if len(fields) == 2:
        return fields[0], fields[1], "1"
    if len(fields) in (3, 4):
        return fields[0], fields[-2], fields[-1]
    raise InputError(
        f"expected two, three or four columns of judgements in {str(path)!r}, got {len(fields)}; "
        "write lines of query, document and relevance"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _names(ids: np.ndarray | None, n: int) -> list[str]:
    return [str(row) for row in range(n)] if ids is None else ids.tolist()
