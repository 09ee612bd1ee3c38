"""Slow, obvious twins of the compression room: loops over queries and rows."""

from __future__ import annotations

import math

import numpy as np


def nearest_twin(queries, corpus, *, k, similarity, own=None):
    """Return the rows of the k most similar, by sorting all similarities of each query."""
    answers = []
    for i, q in enumerate(queries):
        scores = []
        for j, c in enumerate(corpus):
            scale = np.linalg.norm(q) * np.linalg.norm(c) if similarity == "cosine" else 1.0
            if own is None or own[i] != j:
                scores.append((-(float(q @ c) / scale if scale else 0.0), j))
        answers.append([j for _, j in sorted(scores)[:k]])
    return np.array(answers)


def ndcg_twin(ranked, relevance, *, k):
    """Return nDCG of a ranking of documents, with `relevance` a dict."""
    reached = sum(relevance.get(doc, 0) / math.log2(i + 2) for i, doc in enumerate(ranked[:k]))
    ideal = sum(gain / math.log2(i + 2) for i, gain in enumerate(sorted(relevance.values(), reverse=True)[:k]))
    return reached / ideal if ideal else 0.0


def product_twin(rows, centroids):
    """Return the code of every piece of every row: the nearest centroid, by all distances."""
    n_codes, _, width = centroids.shape
    codes = []
    for row in rows:
        filled = np.concatenate([row, np.zeros(n_codes * width - len(row))])
        pieces = [filled[m * width : (m + 1) * width] for m in range(n_codes)]
        codes.append([int(((c - piece) ** 2).sum(1).argmin()) for piece, c in zip(pieces, centroids, strict=True)])
    return np.array(codes)
