"""Features that somebody else computed, from a file of arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffred_core.datasets import from_official
from diffred_core.errors import InputError

PREFIX = "embeddings:"
_PARTS = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
Rows = tuple[Tensor, Tensor]


def read_embeddings(path: Path, *, seed: int) -> tuple[tuple[str, ...], dict[str, Rows], str]:
    """Read features X (n_samples, n_features) and labels y (n_samples,), and split them.

    =================  ==========================================================================================
    ``.npz``           arrays ``X`` and ``y``, and ``split`` if there is one
    ``.npy``           X; y lies beside it as ``NAME.labels.npy``
    ``.safetensors``   tensors ``X`` and ``y``, and ``split`` as 0 train, 1 validation, 2 test if there is one
    ``.parquet``       a column ``y``, maybe ``split``; X is the list column ``X``, else every other column
    =================  ==========================================================================================

    Labels are integers or words. ``split`` says ``train``, ``validation`` or ``test`` for every row; without it rows
    are split 60/20/20, stratified and seeded.

    Returns
    -------
    classes : tuple of str
    splits : dict of str to (X float32, y int64)
    key : str
        SHA-256 of the three arrays.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another kind, or its arrays do not fit each other.
    """
    if path.suffix not in _READERS:
        raise InputError(f"expected embeddings in one of {', '.join(_READERS)}, got {path.name!r}; convert the file")
    if not path.is_file():
        raise InputError(f"expected a file of embeddings, but there is none at {str(path)!r}; check the path")
    arrays = _read(path)
    X, labels = arrays["X"], arrays["y"]
    _check(path, X, labels, arrays.get("split"))
    names, y = np.unique(labels, return_inverse=True)
    classes = tuple(str(name) for name in names)
    splits = _split(torch.from_numpy(y.astype(np.int64)), arrays.get("split"), classes, seed)
    X = torch.from_numpy(np.ascontiguousarray(X, dtype=np.float32))
    y = torch.from_numpy(y.astype(np.int64))
    return classes, {name: (X[rows], y[rows]) for name, rows in splits.items()}, _digest(arrays)


def _read(path: Path) -> Mapping[str, np.ndarray]:
    try:
        arrays = _READERS[path.suffix](path)
    except InputError:
        raise
    except Exception as error:  # four readers, each with exceptions of its own for a damaged file
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise InputError(
            f"expected whole embeddings in {str(path)!r}, got an unreadable file ({reason}); save it again"
        ) from error
    if absent := [name for name in ("X", "y") if name not in arrays]:
        raise InputError(f"expected X and y in {str(path)!r}, found {', '.join(arrays)} but no {absent[0]}; add it")
    return arrays


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _read_npy(path: Path) -> dict[str, np.ndarray]:
    labels = path.with_suffix(".labels.npy")
    if not labels.is_file():
        raise InputError(f"expected the labels of {path.name!r} in {str(labels)!r}, found none; save y there")
    return {"X": np.load(path, allow_pickle=False), "y": np.load(labels, allow_pickle=False)}


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors.torch import load_file

    tensors = load_file(path)
    return {name: (t.float() if t.is_floating_point() else t).numpy() for name, t in tensors.items()}


def _read_parquet(path: Path) -> dict[str, np.ndarray]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    columns = {name: table.column(name).to_pylist() for name in table.column_names if name in ("X", "y", "split")}
    if "X" not in columns:
        rest = [name for name in table.column_names if name not in columns]
        columns["X"] = np.stack([table.column(name).to_numpy() for name in rest], axis=1) if rest else []
    return {name: np.asarray(column) for name, column in columns.items()}


_READERS: dict[str, Callable[[Path], Mapping[str, np.ndarray]]] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".safetensors": _read_safetensors,
    ".parquet": _read_parquet,
}


def _check(path: Path, X: np.ndarray, y: np.ndarray, split: np.ndarray | None) -> None:
    if X.ndim != 2 or X.dtype.kind not in "fiu":
        raise InputError(
            f"expected X of shape (n_samples, n_features) and numbers in {str(path)!r}, got shape {X.shape} of "
            f"{X.dtype}; pool or flatten every sample to one row"
        )
    if y.shape != (len(X),) or y.dtype.kind not in "iuUb":
        raise InputError(
            f"expected y in {str(path)!r} as {len(X)} integers or words, one for each row of X, got shape {y.shape} of "
            f"{y.dtype}; save class labels"
        )
    if split is not None and split.shape != (len(X),):
        raise InputError(f"expected split in {str(path)!r} to name a part for each of {len(X)} rows, got {split.shape}")


def _split(y: Tensor, split: np.ndarray | None, classes: tuple[str, ...], seed: int) -> dict[str, Tensor]:
    if split is None:
        return from_official(y, {"train": torch.arange(len(y))}, seed=seed, classes=classes)[0]
    words = np.array(["train", "validation", "test"])[split] if split.dtype.kind in "iu" else split
    if unknown := sorted(set(words.tolist()) - set(_PARTS)):
        raise InputError(f"expected split to say train, validation or test, got {unknown[0]!r}; rename it")
    parts = np.array([_PARTS[word] for word in words.tolist()])
    rows = {name: torch.from_numpy((parts == name).nonzero()[0]) for name in ("train", "validation", "test")}
    return from_official(y, {n: r for n, r in rows.items() if len(r)}, seed=seed, classes=classes)[0]


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    total = hashlib.sha256()
    for name in sorted({"X", "y", "split"} & set(arrays)):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode())
        total.update(array.tobytes())
    return total.hexdigest()
