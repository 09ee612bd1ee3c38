"""What features must be to be kept: finite, and not the same for all images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.features._store import SHARD_SIZE, FeatureStore


def check_finite(tensors: dict[str, Tensor], sample_ids: Sequence[str]) -> None:
    """Refuse rows of NaN or infinity; the sentence names the first sample.

    Parameters
    ----------
    tensors : dict of str to Tensor of shape (n_rows, width)
        One a layer.
    sample_ids : sequence of str
        One a row.
    """
    for layer, X in tensors.items():
        bad = (~X.isfinite()).any(dim=1).nonzero().flatten()
        if len(bad):
            raise InputError(
                f"expected finite features, got {len(bad)} rows with NaN or infinity in layer {layer!r}, the first of "
                f"sample {sample_ids[int(bad[0])]!r}; check the weights, or keep and compute them in float32"
            )


def check_varied(store: FeatureStore) -> None:
    """Refuse a layer that gives every image the same row; reading stops where each has been seen to differ."""
    same = dict.fromkeys(store.layers)
    first: dict[str, Tensor] = {}
    for rows in torch.arange(store.n_samples).split(SHARD_SIZE):
        for layer, X in store.take(rows).items():
            # Not exactly equal: where an image lies in its batch may change the last bit of its features.
            if (X - first.setdefault(layer, X[0])).abs().max() > 1e-6 * X.abs().max():
                same.pop(layer, None)
        if not same:
            return
    if store.n_samples > 1:
        raise InputError(
            f"expected features that differ between images, got the same row for all {store.n_samples} of them in "
            f"layer {next(iter(same))!r}; check the weights and the images"
        )
