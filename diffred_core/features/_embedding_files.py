"""Arrays of a file of embeddings, in four formats: which key or column is what; labels and ids of their own files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffred_core.errors import InputError, near_names

VECTORS = ("X", "features", "embeddings", "embedding", "vectors", "vector", "emb")
LABELS = ("y", "labels", "label", "targets", "target", "class")
IDS = ("ids", "id")
SPLIT = "split"
TEXT = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, eq=False)
class EmbeddingArrays:
    """What a file of embeddings holds, as it stands there.

    Attributes
    ----------
    X : ndarray (n_samples, n_features)
        Of any numbers; memory-mapped from ``.npy``.
    labels : ndarray (n_samples, ...) or None
        As `class_codes` takes them.
    ids : ndarray (n_samples,) of str, or None
    split : ndarray (n_samples,) or None
    names : tuple of str
        Keys or columns of the file.
    """

    X: np.ndarray
    labels: np.ndarray | None
    ids: np.ndarray | None
    split: np.ndarray | None
    names: tuple[str, ...]


def read_arrays(
    path: Path, *, vectors: str | None = None, labels: str | None = None, ids: str | None = None
) -> EmbeddingArrays:
    """Return what the file at `path` holds.

    Parameters
    ----------
    path : Path
        ``.npz``, ``.npy``, ``.safetensors`` or ``.parquet`` (a list column, or one column a dimension).
    vectors : str, optional
        Key or column of X, or what the names of its columns begin with; by default the first of `VECTORS` that is
        there, in Parquet else every column of numbers that is nothing else.
    labels, ids : str, optional
        Key or column, or a file of their own (``.npy``, or ``.csv``, ``.tsv``, ``.txt`` with a line a row); by
        default the first of `LABELS`, `IDS`, or ``NAME.labels.npy`` beside ``NAME.npy``, where there is one.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another kind, has no such key, or its arrays do not fit each other.
    """
    if path.suffix not in _READERS:
        raise InputError(f"expected embeddings in one of {', '.join(_READERS)}, got {path.name!r}; convert the file")
    if not path.is_file():
        raise InputError(f"expected a file of embeddings, but there is none at {str(path)!r}; check the path")
    content = _whole(path, _READERS[path.suffix])
    beside = path.with_suffix(".labels.npy")
    if labels is None and path.suffix == ".npy" and beside.is_file():
        labels = str(beside)
    y_name, id_name = _key(content, labels, LABELS), _key(content, ids, IDS)
    X = _vectors(path, content, vectors, {y_name, id_name, SPLIT})
    checked_matrix(X, path)
    identity = None if ids is None and id_name is None else _beside(path, content, ids, id_name, what="ids")
    texts = None if identity is None else checked_ids(identity, len(X), path)
    y = None
    if labels is not None or y_name is not None:
        y = _beside(path, content, labels, y_name, what="labels", rows=len(X), ids=texts)
    return EmbeddingArrays(X, y, texts, content.get(SPLIT), tuple(content))


def checked_matrix(X: np.ndarray, path: Path) -> None:
    """Refuse what is no matrix of numbers."""
    if X.ndim != 2 or 0 in X.shape or X.dtype.kind not in "fiu":
        raise InputError(
            f"expected X of shape (n_samples, n_features) and numbers in {str(path)!r}, got shape {X.shape} of "
            f"{X.dtype}; pool or flatten every sample to one row"
        )


def checked_ids(ids: np.ndarray, n_rows: int, path: Path) -> np.ndarray:
    """Return ids as text; refuse another number of them than rows, and one that stands twice."""
    if ids.shape != (n_rows,):
        raise InputError(
            f"expected {n_rows} ids in {str(path)!r}, one for each row of X, got shape {ids.shape}; "
            "save ids and vectors of the same rows"
        )
    texts = ids.astype(str)
    values, counts = np.unique(texts, return_counts=True)
    if len(values) < n_rows:
        raise InputError(
            f"expected ids that tell rows apart in {str(path)!r}, got {str(values[counts.argmax()])!r} {counts.max()} "
            "times; drop the duplicates"
        )
    return texts


def class_codes(labels: np.ndarray, n_rows: int, path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the classes and the int64 class of every row.

    Parameters
    ----------
    labels : ndarray
        ``(n_rows,)`` integers, whole floats or words, or ``(n_rows, n_classes)`` with a single 1 in every row.
    n_rows : int
    path : Path
        For the message.

    Raises
    ------
    InputError
        If there is not one label a row, or they are none of these.
    """
    labels = _from_one_hot(labels)
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels.tolist()):
        labels = labels.astype(str)
    if labels.dtype.kind == "f" and bool(np.all(np.isfinite(labels) & (labels == np.round(labels)))):
        labels = labels.astype(np.int64)
    if labels.shape != (n_rows,) or labels.dtype.kind not in "iuUb":
        remedy = "round them" if labels.shape == (n_rows,) and labels.dtype.kind == "f" else "save class labels"
        raise InputError(
            f"expected y in {str(path)!r} as {n_rows} integers or words, one for each row of X, got shape "
            f"{labels.shape} of {labels.dtype}; {remedy}"
        )
    names, codes = np.unique(labels, return_inverse=True)
    return tuple(str(name) for name in names), codes.astype(np.int64)


def _from_one_hot(labels: np.ndarray) -> np.ndarray:
    if labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    if labels.ndim != 2 or labels.dtype.kind not in "fiub":
        return labels
    single = bool((((labels == 0) | (labels == 1)).all(1) & (labels.sum(1) == 1)).all())
    chosen: np.ndarray = labels.argmax(1)
    return chosen if single else labels


def _whole(path: Path, read: Callable[[Path], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    try:
        return dict(read(path))
    except InputError:
        raise
    except Exception as error:  # readers with exceptions of their own for a damaged file
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        if "Python objects" in reason or "Object arrays" in reason or _starts_as_pickle(path):
            raise InputError(
                f"expected plain numbers or words in {str(path)!r}, got pickled Python objects, which are never loaded "
                "(they can run code); save X.astype('float32')"
            ) from error
        raise InputError(
            f"expected whole embeddings in {str(path)!r}, got an unreadable file ({reason}); save it again"
        ) from error


def _starts_as_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1) == b"\x80"  # of every protocol since 2


def _key(content: Mapping[str, np.ndarray], name: str | None, usual: Sequence[str]) -> str | None:
    """Return the key that `name` names, or without a name the first usual one; None where it names none."""
    if name is not None:
        return name if name in content else None
    return next((key for key in usual if key in content), None)


def _vectors(path: Path, content: Mapping[str, np.ndarray], name: str | None, others: set[str | None]) -> np.ndarray:
    key = _key(content, name, VECTORS)
    if key is not None:
        return content[key]
    rest = {key: array for key, array in content.items() if key not in others}
    wide = [array for array in rest.values() if array.ndim == 2]
    if name is None and len(wide) == 1:
        return wide[0]
    columns = [a for key, a in rest.items() if key.startswith(name or "") and a.ndim == 1 and a.dtype.kind in "fiu"]
    if path.suffix == ".parquet" and columns:
        return np.stack(columns, axis=1)
    expected = f"{name!r} as key or column of X" if name else f"X (or {', '.join(VECTORS[1:])})"
    raise InputError(
        f"expected {expected} in {str(path)!r}, found {', '.join(content)}{near_names(name or 'X', content)}; "
        "name the key or column that holds the vectors"
    )


def _beside(
    path: Path,
    content: Mapping[str, np.ndarray],
    name: str | None,
    key: str | None,
    *,
    what: str,
    rows: int | None = None,
    ids: np.ndarray | None = None,
) -> np.ndarray:
    """Return the array of a key, or else of the file that `name` names."""
    if key is not None:
        return content[key]
    file = Path(str(name)).expanduser()
    if not file.is_file():
        raise InputError(
            f"expected {name!r} as a key or column of {str(path)!r} or as a file of {what}, found "
            f"{', '.join(content)} and no such file{near_names(str(name), content)}"
        )
    if file.suffix in TEXT:
        return _text_column(file, what=what, rows=rows, ids=ids)
    if file.suffix != ".npy":
        raise InputError(f"expected a file of {what} in one of .npy, {', '.join(TEXT)}, got {file.name!r}; convert it")
    return next(iter(_whole(file, _read_npy).values()))


def text_rows(file: Path) -> list[list[str]]:
    """Return the lines of a text file that are not empty, split at tabs, else at commas (``.csv``), else at spaces."""
    try:
        lines = [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"expected text in UTF-8 in {str(file)!r}, got an unreadable file; save it again") from error
    if any("\t" in line for line in lines[:1]):
        return list(csv.reader(lines, delimiter="\t"))
    return list(csv.reader(lines)) if file.suffix == ".csv" else [line.split() for line in lines]


def _text_column(file: Path, *, what: str, rows: int | None, ids: np.ndarray | None) -> np.ndarray:
    """Return the last column of a text file, or the one that its header calls by a usual name, sorted as `ids`."""
    lines = text_rows(file) if file.suffix != ".txt" else [[line] for line in file.read_text().splitlines() if line]
    usual = LABELS if what == "labels" else IDS
    header = [name.strip().lower() for name in lines[0]] if lines else []
    named = [i for i, name in enumerate(header) if name in usual]
    headed = bool(named) or (rows is not None and len(lines) == rows + 1)
    column, body = (named[0] if named else -1), lines[1:] if headed else lines
    try:
        values = [line[column].strip() for line in body]
    except IndexError as error:
        raise InputError(f"expected as many fields in every line of {str(file)!r}; save it again") from error
    identity = next((i for i, name in enumerate(header) if name in IDS), None) if what == "labels" else None
    if identity is not None and ids is not None:
        values = _matched({line[identity].strip(): v for line, v in zip(body, values, strict=True)}, ids, file)
    return _numbers_or_words(values)


def _matched(by_id: Mapping[str, str], ids: np.ndarray, file: Path) -> list[str]:
    missing = [name for name in ids.tolist() if name not in by_id]
    if missing or len(by_id) != len(ids):
        which = f"{missing[0]!r} of the vectors is" if missing else "those of the vectors are fewer than"
        raise InputError(
            f"expected the same ids in {str(file)!r} as beside the vectors, but {which} "
            f"{'not there' if missing else 'there'}; save labels of the same rows"
        )
    return [by_id[name] for name in ids.tolist()]


def _numbers_or_words(values: list[str]) -> np.ndarray:
    try:
        return np.array([float(value) for value in values])
    except ValueError:
        return np.array(values, dtype=str)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _read_npy(path: Path) -> dict[str, np.ndarray]:
    return {"X": np.load(path, mmap_mode="r", allow_pickle=False)}


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors.torch import load_file

    tensors = load_file(path)
    return {name: (t.float() if t.is_floating_point() else t).numpy() for name, t in tensors.items()}


def _read_parquet(path: Path) -> dict[str, np.ndarray]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    return {name: _of_column(path, name, table.column(name).combine_chunks()) for name in table.column_names}


def _of_column(path: Path, name: str, column: Any) -> np.ndarray:
    import pyarrow.types

    kind = column.type
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind):
        values, n = column.flatten().to_numpy(zero_copy_only=False), len(column)
        if column.null_count or not n or set(column.value_lengths().unique().to_pylist()) != {len(values) // n}:
            raise InputError(
                f"expected lists of one length in column {name!r} of {str(path)!r}, got several lengths or empty "
                "cells; save one vector a row"
            )
        return np.asarray(values).reshape(n, -1)
    plain = column.to_numpy(zero_copy_only=False)
    return plain.astype(str) if plain.dtype.kind == "O" and not column.null_count else np.asarray(plain)


_READERS: dict[str, Callable[[Path], Mapping[str, np.ndarray]]] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".safetensors": _read_safetensors,
    ".parquet": _read_parquet,
}
