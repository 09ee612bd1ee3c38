"""Features that somebody else computed, from a file of arrays, split for probes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffred_core.datasets import from_official
from diffred_core.errors import InputError
from diffred_core.features._embedding_files import EmbeddingArrays, class_codes, read_arrays

PREFIX = "embeddings:"
_PARTS = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
Rows = tuple[Tensor, Tensor]


def read_embeddings(path: Path, *, seed: int) -> tuple[tuple[str, ...], dict[str, Rows], str]:
    """Read features X (n_samples, n_features) and labels y (n_samples,), and split them.

    =================  ==========================================================================================
    ``.npz``           arrays ``X`` and ``y``, and ``split`` if there is one
    ``.npy``           X; y lies beside it as ``NAME.labels.npy``
    ``.safetensors``   tensors ``X`` and ``y``, and ``split`` as 0 train, 1 validation, 2 test if there is one
    ``.parquet``       a column ``y``, maybe ``split`` and ``id``; X is a list column, else all others of numbers
    =================  ==========================================================================================

    X may be called ``features`` or ``embeddings``, y ``labels`` or ``targets``. Labels are integers, whole floats,
    words or rows with a single 1. ``split`` says ``train``, ``validation`` or ``test`` for every row; without it rows
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
    arrays = read_arrays(path)
    if arrays.labels is None:
        beside = f"{str(path.with_suffix('.labels.npy'))!r}" if path.suffix == ".npy" else f"{str(path)!r}"
        raise InputError(
            f"expected the labels of {path.name!r} in {beside}, found {', '.join(arrays.names)} but no y; "
            "probes need one label a row"
        )
    classes, codes = class_codes(arrays.labels, len(arrays.X), path)
    if arrays.split is not None and arrays.split.shape != (len(codes),):
        raise InputError(
            f"expected split in {str(path)!r} to name a part for each of {len(codes)} rows, got {arrays.split.shape}"
        )
    y = torch.from_numpy(codes)
    splits = _split(y, arrays.split, classes, seed)
    X = torch.from_numpy(np.array(arrays.X, dtype=np.float32, order="C"))
    return classes, {name: (X[rows], y[rows]) for name, rows in splits.items()}, _digest(arrays)


def _split(y: Tensor, split: np.ndarray | None, classes: tuple[str, ...], seed: int) -> dict[str, Tensor]:
    if split is None:
        return from_official(y, {"train": torch.arange(len(y))}, seed=seed, classes=classes)[0]
    words = np.array(["train", "validation", "test"])[split] if split.dtype.kind in "iu" else split
    if unknown := sorted(set(words.tolist()) - set(_PARTS)):
        raise InputError(f"expected split to say train, validation or test, got {unknown[0]!r}; rename it")
    parts = np.array([_PARTS[word] for word in words.tolist()])
    rows = {name: torch.from_numpy((parts == name).nonzero()[0]) for name in ("train", "validation", "test")}
    return from_official(y, {n: r for n, r in rows.items() if len(r)}, seed=seed, classes=classes)[0]


def _digest(arrays: EmbeddingArrays) -> str:
    total = hashlib.sha256()
    for name, values in (("X", arrays.X), ("split", arrays.split), ("y", arrays.labels)):
        if values is not None:
            array = np.ascontiguousarray(values)
            total.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode())
            total.update(array.tobytes())
    return total.hexdigest()
