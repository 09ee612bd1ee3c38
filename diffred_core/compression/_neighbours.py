"""Exact nearest neighbours by products of blocks: what a flat index gives, without an index.

The k largest of a row are looked for in two steps: of groups of columns by their largest, then within the k groups
whose largest are greatest. No other group can hold one of the k, for k groups hold a value above all of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from diffred_core.checks import as_features, check_choice
from diffred_core.errors import InputError

_GROUP = 32
_WORTH = 30  # groups a neighbour, above which two steps are quicker than one
_CELLS = 1 << 23  # similarities at once: 32 MiB, of which the second step reads a small part


@torch.no_grad()
def nearest(
    queries: Tensor, corpus: Tensor, *, k: int = 10, similarity: str = "cosine", own: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the k most similar rows of `corpus` for every query.

    Parameters
    ----------
    queries, corpus : Tensor (n_queries, d), (n_corpus, d)
    k : int
    similarity : {"cosine", "dot"}
        Cosines with a row of zeros are 0.
    own : LongTensor (n_queries,), optional
        Row of the corpus that each query is, which is left out; -1 for none.

    Returns
    -------
    similarities : Tensor (n_queries, k), falling
    rows : LongTensor (n_queries, k)
        Among equal similarities any may come first.

    Raises
    ------
    InputError
        If the widths differ, or the corpus has fewer than k other rows.
    """
    queries, corpus = as_features(queries, name="queries"), as_features(corpus, name="corpus")
    check_choice(similarity, ("cosine", "dot"), "similarity must be one of {}")
    if queries.shape[1] != corpus.shape[1]:
        raise InputError(f"expected queries of {corpus.shape[1]} dimensions as the corpus, got {queries.shape[1]}")
    if not 1 <= k <= len(corpus) - (own is not None):
        raise InputError(
            f"expected more rows than neighbours, got {len(corpus)} rows for {k} neighbours; add rows, or ask for fewer"
        )
    if similarity == "cosine":
        queries, corpus = unit_rows(queries), unit_rows(corpus)
    step = max(1, _CELLS // len(corpus))
    parts = []
    for start in range(0, len(queries), step):
        scores = queries[start : start + step] @ corpus.T
        if own is not None:
            rows = (own[start : start + step] >= 0).nonzero()[:, 0]
            scores[rows, own[start : start + step][rows]] = -torch.inf
        parts.append(top_k(scores, k))
    return torch.cat([scores for scores, _ in parts]), torch.cat([rows for _, rows in parts])


def unit_rows(X: Tensor) -> Tensor:
    """Return rows of length 1; a row of zeros stays one."""
    lengths: Tensor = X.norm(dim=1, keepdim=True).clamp_min(torch.finfo(X.dtype).tiny)
    return X / lengths


def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest of every row of `scores` (n, m), falling, and their columns."""
    n, m = scores.shape
    n_groups = m // _GROUP
    if n_groups < _WORTH * k:
        best = scores.topk(k, dim=1)
        return best.values, best.indices
    whole = n_groups * _GROUP
    # group g holds the columns g, g + n_groups, ...: their largest is a maximum over contiguous stretches
    groups = scores[:, :whole].unflatten(1, (_GROUP, n_groups)).amax(1).topk(k, dim=1).indices
    columns = (groups[:, :, None] + torch.arange(_GROUP) * n_groups).flatten(1)
    if whole < m:
        columns = torch.cat([columns, torch.arange(whole, m).expand(n, -1)], dim=1)
    best = scores.gather(1, columns).topk(k, dim=1)
    return best.values, columns.gather(1, best.indices)
