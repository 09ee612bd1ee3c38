"""The finished stores of a request: what is kept is opened, what is missing is extracted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from diffred_core.datasets import Dataset
from diffred_core.features._engine import n_threads
from diffred_core.features._extract import Extractor
from diffred_core.features._identity import features_root, identity_of, store_of
from diffred_core.features._pooling import AVERAGE
from diffred_core.features._request import Request
from diffred_core.features._store import FeatureStore


def finished_stores(
    request: Request,
    dataset: Dataset,
    *,
    layers: Sequence[str],
    root: Path | str | None,
    device: torch.device,
    progress: bool,
    pool: str = AVERAGE,
    splits: Sequence[str] | None = None,
) -> dict[str, FeatureStore]:
    """Return the finished stores of `splits` (all by default); a network is loaded only if one of them is not."""
    identity = request.identity(features_root(root))
    stores = {}
    for split in dataset.splits if splits is None else splits:
        of_split = identity_of(identity, dataset, split=split, layers=layers, pool=pool, dtype="float32", device=device)
        stores[split] = store_of(of_split, dataset, split=split, root=root)
    unfinished = [split for split, store in stores.items() if not store.is_finished() or store.missing()]
    if unfinished:
        extractor = Extractor(request.backbone, tuple(layers), 64, device, "auto", n_threads(None), progress, pool)
        for split in unfinished:
            extractor.fill(stores[split], dataset, split=split)
    return stores
