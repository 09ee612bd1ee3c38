"""Product quantisation by faiss, which the extra ``pq`` brings: codebooks for the sizes that other formats have."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffred_core import compression
from diffred_core.chapters.embeddings.ledger import Ledger
from diffred_core.chapters.embeddings.scene import Scene
from diffred_core.errors import MissingLibrary, needs

MOST_CODES, MOST_SIZES = 512, 5  # a codebook takes some hundredths of a second
ITERATIONS = 10  # of k-means; 25 lower the error of held-out rows by less than a hundredth of it
WIDTH = 16  # numbers of a piece from which faiss assigns ten times faster: zeros are added, which no distance feels


def code_counts(ledger: Ledger, scene: Scene) -> list[int]:
    """Return how many codes are tried, most first: sizes of ``int8`` and of bits; a note says why there are none."""
    try:
        library()
    except MissingLibrary as error:
        ledger.note(f"Product quantisation was not measured: {error}.")
        return []
    if len(scene.fit) < compression.LEVELS:
        ledger.note(f"Product quantisation was not measured: {len(scene.fit)} rows to fit 256 centroids on.")
        return []
    bits = [-(-k // 8) for k in (scene.d, *scene.sizes)]
    return sorted({k for k in (*scene.sizes, *bits) if k <= MOST_CODES}, reverse=True)[:MOST_SIZES]


def fit_product(Z: Tensor, *, n_codes: int, seed: int) -> compression.ProductCode:
    """Return codebooks fitted on rows that are not scored.

    Parameters
    ----------
    Z : Tensor (n_samples, k)
        At least 256 rows.
    n_codes : int
        Bytes of a vector.
    seed : int
        Of k-means.

    Raises
    ------
    MissingLibrary
        Without faiss.
    """
    faiss, pieces = library(), compression.cut(Z, n_codes)
    width = pieces.shape[2]
    wide = torch.nn.functional.pad(pieces, (0, max(0, WIDTH - width))).flatten(1).numpy()
    faiss.omp_set_num_threads(torch.get_num_threads())
    quantizer = faiss.ProductQuantizer(wide.shape[1], n_codes, 8)
    quantizer.cp.niter, quantizer.cp.seed, quantizer.cp.min_points_per_centroid = ITERATIONS, seed, 1
    quantizer.train(np.ascontiguousarray(wide))
    centroids = faiss.vector_to_array(quantizer.centroids).reshape(n_codes, compression.LEVELS, -1)
    return compression.ProductCode(torch.from_numpy(centroids[:, :, :width].copy()))


def library() -> Any:
    """Return faiss.

    Raises
    ------
    MissingLibrary
        Where it is not installed.
    """
    with needs("pq"):
        import faiss
    return faiss
