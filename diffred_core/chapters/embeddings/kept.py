"""The transform of the decision, fitted anew on the same rows, and its file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save

from diffred_core import compression, files
from diffred_core.chapters.embeddings import names, product
from diffred_core.chapters.embeddings.decision import decide
from diffred_core.chapters.embeddings.scene import make_scene

FILE = "transform.safetensors"


def kept_transform(
    table: pd.DataFrame,
    X: np.ndarray,
    y: np.ndarray | None = None,
    queries: np.ndarray | None = None,
    qrels: np.ndarray | None = None,
    *,
    similarity: str = "cosine",
    neighbours: int = 10,
    seed: int = 0,
) -> compression.Transform:
    """Return the transform that the decision of `table` keeps; the other arguments are those of its `report`.

    Raises
    ------
    InputError
        As `report` and `decide`.
    """
    decision = decide(table)
    scene = make_scene(X, y, queries, qrels, classes=None, neighbours=neighbours, similarity=similarity, seed=seed)
    reduction = compression.Reduction(names.FULL, scene.d)
    if decision.method == names.PRODUCT:
        n_codes = names.n_codes_of(decision.number_format)
        return compression.Transform(reduction, product.fit_product(scene.fit, n_codes=n_codes, seed=seed))
    if decision.method != names.FULL:
        kind = decision.method
        fitted = compression.fit_reductions(scene.fit, scene.y_fit, kinds=[kind], most=scene.sizes[0], seed=seed)
        reduction = fitted[kind].prefix(decision.n_selected)
    return compression.Transform(reduction, compression.fit_code(decision.number_format, reduction.apply(scene.fit)))


def write_transform(transform: compression.Transform, folder: Path | str | None = None) -> Path:
    """Write ``transform.safetensors`` to `folder`, by default to where the table of the run goes, and return it."""
    table = os.environ.get(files.TABLE)
    place = Path(folder) if folder is not None else Path(table).parent if table else Path.cwd()
    return files.write_bytes(place / FILE, save(transform.arrays(), metadata=transform.facts()))
