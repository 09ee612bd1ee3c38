"""What a search on fewer numbers keeps: one value a query, so that intervals and pairs can be made of them."""

from __future__ import annotations

import torch
from torch import Tensor

from diffred_core.compression._neighbours import top_k

_TIE = 1e-6  # of the largest similarity: equal up to rounding of float32


def neighbour_recall(scores: Tensor, retrieved: Tensor, *, k: int, limit: Tensor | None = None) -> Tensor:
    """Return the share of the k nearest neighbours among the retrieved rows, one value a query.

    A retrieved row counts when its full similarity reaches that of the k-th neighbour: where rows are duplicates, any
    of them is right (as in the recall of ann-benchmarks, Aumueller et al. 2020).

    Parameters
    ----------
    scores : Tensor (n_queries, n_corpus)
        Similarities of the full vectors.
    retrieved : LongTensor (n_queries, m)
        Rows by a search on fewer numbers. With m above k the share is what rescoring them by full vectors gives.
    k : int
    limit : Tensor (n_queries, 1), optional
        Similarity of the k-th neighbour, where it is known.

    Returns
    -------
    Tensor (n_queries,) of float64
        k / n_corpus by chance for m = k.
    """
    if limit is None:
        limit = top_k(scores, k)[0][:, -1:]
    tie = _TIE * limit.abs()
    right = (scores.gather(1, retrieved) >= limit - tie).sum(1)
    return right.clamp(max=k).double() / k


def rank_correlation(scores: Tensor, others: Tensor) -> Tensor:
    """Return Spearman's correlation of two sets of similarities, one value a query; ties get their place by order.

    Parameters
    ----------
    scores, others : Tensor (n_queries, n_corpus)

    Returns
    -------
    Tensor (n_queries,) of float64
        0 by chance.
    """
    one, other = (_ranks(values) for values in (scores, others))
    m = scores.shape[1]
    return 1 - 6 * (one - other).square().sum(1) / (m * (m * m - 1.0))


def _ranks(values: Tensor) -> Tensor:
    places = torch.arange(values.shape[1], dtype=torch.float64).expand(len(values), -1)
    return torch.empty(values.shape, dtype=torch.float64).scatter_(1, values.argsort(dim=1, stable=True), places)


def ndcg(gains: Tensor, best: Tensor, *, k: int = 10) -> Tensor:
    """Return the normalised discounted cumulative gain, one value a query (Jarvelin and Kekalainen 2002).

    With linear gains, ``sum_i gain_i / log2(i + 1)`` over the first k, as trec_eval has it.

    Parameters
    ----------
    gains : Tensor (n_queries, m)
        Relevance of the retrieved rows in their order, 0 where not judged; m at least k.
    best : Tensor (n_queries, j)
        The relevances of every query, falling, filled up with 0.

    Returns
    -------
    Tensor (n_queries,) of float64
        0 for a query without a relevant row.
    """
    reached, ideal = _discounted(gains[:, :k]), _discounted(best[:, :k])
    return torch.where(ideal > 0, reached / ideal.clamp_min(1e-12), torch.zeros_like(ideal))


def _discounted(gains: Tensor) -> Tensor:
    discounts = torch.arange(2, gains.shape[1] + 2, dtype=torch.float64).log2()
    return (gains.double() / discounts).sum(1)


def recall_at(gains: Tensor, n_relevant: Tensor, *, k: int = 100) -> Tensor:
    """Return the share of the relevant rows among the first k, one value a query.

    Parameters
    ----------
    gains : Tensor (n_queries, m)
        As in `ndcg`.
    n_relevant : Tensor (n_queries,)
        How many rows are relevant to each, at least one.
    """
    return (gains[:, :k] > 0).sum(1).double() / n_relevant.clamp_min(1)
