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
_WORTH = 5  # groups a neighbour, above which two steps are quicker than one
_QUERIES, _ROWS = 1024, 8192  # of a block: wide both ways, for the product; its 32 MiB stay near, for the search


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
    parts = [
        _nearest(block, corpus, k, None if own is None else own[start : start + _QUERIES])
        for start, block in zip(range(0, len(queries), _QUERIES), queries.split(_QUERIES), strict=True)
    ]
    return torch.cat([scores for scores, _ in parts]), torch.cat([rows for _, rows in parts])


def _nearest(queries: Tensor, corpus: Tensor, k: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the k best of every block of the corpus, and of these the k best."""
    values, rows = [], []
    room = queries.new_empty(len(queries), min(_ROWS, len(corpus)))  # one for all blocks: fresh pages cost time
    for start in range(0, len(corpus), _ROWS):
        block = corpus[start : start + _ROWS]
        scores = torch.mm(queries, block.T, out=room[:, : len(block)])
        if own is not None:
            within = ((own >= start) & (own < start + _ROWS)).nonzero()[:, 0]
            scores[within, own[within] - start] = -torch.inf
        best, columns = top_k(scores, min(k, scores.shape[1]))
        values.append(best)
        rows.append(columns + start)
    best, places = torch.cat(values, dim=1).topk(k, dim=1)
    return best, torch.cat(rows, dim=1).gather(1, places)


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
    columns = (groups[:, :, None] + torch.arange(_GROUP, device=scores.device) * n_groups).flatten(1)
    if whole < m:
        columns = torch.cat([columns, torch.arange(whole, m, device=scores.device).expand(n, -1)], dim=1)
    best = scores.gather(1, columns).topk(k, dim=1)
    return best.values, columns.gather(1, best.indices)
