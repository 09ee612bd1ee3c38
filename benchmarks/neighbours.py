"""Exact nearest neighbours by products of blocks against faiss's flat index, at equal threads.

Seconds are of the processor, all threads together: the machine may do other work meanwhile. Without faiss (the extra
``pq``) the peer is left out and said.
"""

from __future__ import annotations

import time

import torch
from _bench import Side, arguments, measure, report, rows_of

from diffred_core import compression

SHAPES = ((1000, 50_000, 768), (1000, 50_000, 64))  # queries, corpus, dimensions
K = 10


def sides(n_queries: int, n_corpus: int, d: int) -> list[Side]:
    """Return ours, the peer where it is installed, and the one product that no exact search can do without."""
    generator = torch.Generator().manual_seed(0)
    queries, corpus = (torch.randn(n, d, generator=generator) for n in (n_queries, n_corpus))
    ours = Side("nearest", lambda: compression.nearest(queries, corpus, k=K, similarity="dot"), role="ours")
    product = Side("the product alone", lambda: queries @ corpus.T, role="floor")
    try:
        import faiss
    except ModuleNotFoundError:
        print("faiss is not installed: pip install 'diffred-core[pq]' brings the peer of this benchmark")
        return [ours, product]
    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(d)
    index.add(corpus.numpy())
    return [ours, Side("faiss IndexFlatIP", lambda: index.search(queries.numpy(), K)), product]


def main() -> None:
    """Time both shapes and write the table."""
    options = arguments(main.__doc__ or "", "neighbours")
    rows = []
    for shape in SHAPES:
        claim = f"{K} neighbours of {shape[0]:,} queries among {shape[1]:,} of {shape[2]}"
        timed = measure(sides(*shape), repeats=options.repeats, clock=time.process_time)
        rows += rows_of(claim, timed, unit="search on one processor", threads=options.threads)
    report(rows, options.csv)


if __name__ == "__main__":
    main()
