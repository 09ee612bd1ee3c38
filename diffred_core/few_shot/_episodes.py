"""Episodes: which rows are support and query of every few-shot task, drawn once and shared by all that is compared.

Drawing the same episodes for every model, mask and number of dimensions makes differences paired, so that their
intervals are far tighter than those of two separate draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_labels
from diffred_core.errors import InputError

_BLOCK = 256  # episodes a generator; part of what a seed means, so not an option


@dataclass(frozen=True, eq=False)
class Episodes:
    """Row indices of few-shot tasks, on the CPU.

    Attributes
    ----------
    support : LongTensor (n_episodes, n_way, n_shot)
        Rows that are labelled; class c of an episode has the rows ``support[e, c]``.
    query : LongTensor (n_episodes, n_way, n_query)
        Rows to classify, none of them in the support of the episode.
    classes : LongTensor (n_episodes, n_way)
        The labels that the classes of an episode have in `y`.
    seed : int
        Of the draw.
    """

    support: Tensor
    query: Tensor
    classes: Tensor
    seed: int

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def n_episodes(self) -> int:
        """Number of tasks."""
        return len(self.classes)

    @property
    def n_way(self) -> int:
        """Classes of a task."""
        return self.classes.shape[1]

    @property
    def n_shot(self) -> int:
        """Labelled rows of a class."""
        return self.support.shape[2]

    @property
    def n_query(self) -> int:
        """Rows of a class to classify."""
        return self.query.shape[2]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the indices, in hexadecimal: two draws with one digest are the same episodes."""
        digest = hashlib.sha256()
        for part in (self.support, self.query, self.classes):
            digest.update(repr(tuple(part.shape)).encode())
            digest.update(np.ascontiguousarray(part.cpu().numpy(), dtype="<i8").tobytes())
        return digest.hexdigest()


def sample_episodes(
    y: Tensor | ArrayLike, *, n_way: int, n_shot: int, n_query: int, n_episodes: int, seed: int
) -> Episodes:
    """Draw few-shot tasks: classes uniformly without replacement, then rows of each class without replacement.

    Only classes with at least ``n_shot + n_query`` rows take part (the sampler of Luo et al. 2022, 2023). Rows are
    shuffled within their class: taking them in file order makes some data sets too easy (Meta-Dataset, issue 54).
    Episode i does not depend on `n_episodes`; as long as the same classes take part, it has the same queries at
    every `n_shot` with the supports nested, and the same first classes at every `n_way`.

    Parameters
    ----------
    y : Tensor (n_samples,) of int64
        Class indices, with gaps or without.
    n_way, n_shot, n_query : int
        Classes of a task; labelled rows and rows to classify of each class.
    n_episodes : int
        Number of tasks.
    seed : int
        The draws happen on the CPU: the same seed gives the same episodes on every device.

    Raises
    ------
    InputError
        A number below 1 (`n_way` below 2), or fewer than `n_way` classes with enough rows.
    """
    y = torch.as_tensor(y)
    y = as_labels(y, y.numel()).cpu()
    least = {"n_way": (n_way, 2), "n_shot": (n_shot, 1), "n_query": (n_query, 1), "n_episodes": (n_episodes, 1)}
    for name, (value, bound) in least.items():
        if value < bound:
            raise InputError(f"expected {name} of at least {bound}, got {value}; raise {name}")
    labels, rows, count = _rows_by_class(y, n_way=n_way, n_shot=n_shot, n_query=n_query)
    draws = _draws(rows, count, n_way=n_way, n_rows=n_shot + n_query, n_episodes=n_episodes, seed=seed)
    classes, parts = zip(*draws, strict=True)
    chosen = torch.cat(parts)[:n_episodes]
    query, support = chosen[..., :n_query].contiguous(), chosen[..., n_query:].contiguous()
    return Episodes(support, query, labels[torch.cat(classes)[:n_episodes]], seed)


def _rows_by_class(y: Tensor, *, n_way: int, n_shot: int, n_query: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return labels, rows ``(n_classes, max_count)`` padded with -1, and counts of the classes with enough rows."""
    labels, codes, count = torch.unique(y, return_inverse=True, return_counts=True)
    usable = count >= n_shot + n_query
    if int(usable.sum()) < n_way:
        raise InputError(
            f"expected at least n_way={n_way} classes with {n_shot + n_query} rows each (n_shot={n_shot} and "
            f"n_query={n_query}), got {int(usable.sum())} of {len(labels)} classes (largest classes have "
            f"{count.sort(descending=True).values[:5].tolist()} rows); lower n_way, n_shot or n_query, or add rows"
        )
    rows = torch.split(torch.argsort(codes, stable=True), count.tolist())
    kept = [part for part, use in zip(rows, usable.tolist(), strict=True) if use]
    return labels[usable], torch.nn.utils.rnn.pad_sequence(kept, batch_first=True, padding_value=-1), count[usable]


def _draws(
    rows: Tensor, count: Tensor, *, n_way: int, n_rows: int, n_episodes: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield positions of classes ``(_BLOCK, n_way)`` and rows ``(_BLOCK, n_way, n_rows)``, a whole block at a time."""
    seeds = torch.Generator().manual_seed(seed)
    padding = torch.arange(rows.shape[1]) >= count[:, None]
    for _ in range(0, n_episodes, _BLOCK):
        draw = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=seeds)))
        classes = torch.rand(_BLOCK, len(rows), generator=draw, dtype=torch.float64).argsort(1)[:, :n_way]
        chosen = []
        for slot in classes.T:  # slot by slot, so that more ways only append
            keys = torch.rand(_BLOCK, rows.shape[1], generator=draw, dtype=torch.float64)
            keys.masked_fill_(padding[slot], 2.0)
            # the n smallest of uniform keys, in order, are the first n rows of a shuffle
            first = keys.topk(n_rows, dim=1, largest=False).indices
            chosen.append(rows[slot].gather(1, first))
        yield classes, torch.stack(chosen, 1)
