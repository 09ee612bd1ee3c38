"""Rows of an array that may lie on disk: looked through in blocks, sampled in float32."""

from __future__ import annotations

import mmap

import numpy as np
import torch
from torch import Tensor

from diffred_core.errors import InputError

_CELLS = 1 << 24  # looked through at once


def check_finite(X: np.ndarray, *, name: str = "X") -> np.ndarray:
    """Return which rows of `X` (n_samples, n_features) hold nothing but zeros, (n_samples,) of bool, in one pass.

    Raises
    ------
    InputError
        With the first row and column, and the number of values that are not finite.
    """
    zero, bad, first = np.empty(len(X), bool), 0, None
    step = max(1, _CELLS // X.shape[1])
    for start in range(0, len(X), step):
        block = np.asarray(X[start : start + step])
        zero[start : start + step] = ~block.any(1)
        if block.dtype.kind == "f" and not np.isfinite(block.sum(dtype=np.float64)):
            places = np.argwhere(~np.isfinite(block))
            first = (start + int(places[0, 0]), int(places[0, 1])) if first is None and len(places) else first
            bad += len(places)
        release(X)
    if first is not None:
        raise InputError(
            f"expected finite values in {name}, got NaN or infinity in {bad} of {X.shape[0] * X.shape[1]}, the first "
            f"in row {first[0]}, column {first[1]} (both from 0); drop or repair those rows"
        )
    return zero


def sampled(X: np.ndarray, rows: np.ndarray) -> Tensor:
    """Return the `rows` of `X` as a float32 tensor; of a memory-mapped array nothing else is read."""
    order = np.argsort(rows, kind="stable")  # a disk is read forwards
    chosen = np.empty((len(rows), X.shape[1]), np.float32)
    chosen[order] = X[rows[order]]
    release(X)
    return torch.from_numpy(chosen)


def release(X: np.ndarray) -> None:
    """Let go of the pages of a file that `X` maps and nobody can have written: else all that was read stays in memory.

    They are read again when they are needed.
    """
    owner: object = X
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap) and owner.mode != "r":
            return
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(owner, "madvise"):
        owner.madvise(mmap.MADV_DONTNEED)
