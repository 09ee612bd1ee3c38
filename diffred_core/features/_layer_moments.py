"""Moments of every layer in one pass over the images: no features are kept, however many and wide the layers are."""

from __future__ import annotations

import torch

from diffred_core import moments
from diffred_core.backbones import Backbone
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features._engine import n_threads
from diffred_core.features._extract import Extractor
from diffred_core.features._layer_names import Layers, layer_names
from diffred_core.features._pooling import AVERAGE
from diffred_core.moments import FeatureMoments


def layer_moments(
    backbone: Backbone,
    dataset: Dataset,
    *,
    split: str,
    layers: Layers = "blocks",
    pool: str = AVERAGE,
    quartic: bool = True,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    engine: str = "auto",
    threads: int | None = None,
    progress: bool = True,
) -> dict[str, FeatureMoments]:
    """Return the moments, with class sums, of every layer over one split, streamed.

    Memory is d x d a layer and one block of rows of every layer; nothing is written to disk.

    Parameters
    ----------
    backbone, dataset, split, pool, batch_size, device, engine, threads, progress
        As in `extract`.
    layers : str or sequence of str
        As in `layer_names`.
    quartic : bool
        Whether to sum fourth moments, which debiased CKA needs.

    Returns
    -------
    dict of str to FeatureMoments
        By layer, in the order in which the network runs them. Equal to the last bit to `moments.accumulate` over the
        features that `extract` keeps.

    Raises
    ------
    InputError
        As `extract` and `layer_names`.
    """
    if split not in dataset.splits:
        raise InputError(f"expected split to be one of {', '.join(dataset.splits)}, got {split!r}; name one of them")
    names = layer_names(backbone, layers)
    extractor = Extractor(
        backbone, names, batch_size, torch.device(device or "cpu"), engine, n_threads(threads), progress, pool
    )
    batches = extractor.stream(dataset, split=split)
    found = moments.accumulate_layers(batches, n_classes=dataset.n_classes, quartic=quartic)
    return dict(zip(names, found, strict=True))
