"""Features of images that were extracted for another task: found by the content of the image, copied row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.features._store import MANIFEST, FeatureStore

OF_THE_TASK = (
    "dataset_fingerprint",
    "split_digest",
)  # all else in an identity makes features of an image what they are


class Kept:
    """Where the images of a store lie in finished stores of the same network, layers and preprocessing."""

    def __init__(self, store: FeatureStore) -> None:
        images = set(store.images)
        self.stores = [other for other in _alike(store) if images.intersection(other.images) and not other.missing()]
        self.places = {
            image: (n, row)
            for n, other in enumerate(self.stores)
            for row, image in enumerate(other.images)
            if image in images
        }

    def unknown(self, images: Sequence[str]) -> Tensor:
        """Return the places within `images` of those that are kept nowhere."""
        return torch.tensor([i for i, image in enumerate(images) if image not in self.places], dtype=torch.int64)

    def completed(self, images: Sequence[str], computed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return every layer, (n_images, width): the rows of `unknown` are `computed`, the others are copied."""
        places = [self.places.get(image, (-1, -1)) for image in images]
        parts = [(self.unknown(images), computed)] if computed else []
        for n, other in enumerate(self.stores):
            here = torch.tensor([i for i, (store, _) in enumerate(places) if store == n], dtype=torch.int64)
            if len(here):
                parts.append((here, other.take(torch.tensor([places[i][1] for i in here.tolist()]))))
        order = torch.cat([here for here, _ in parts]).argsort()
        return {layer: torch.cat([tensors[layer] for _, tensors in parts])[order] for layer in parts[0][1]}


def _alike(store: FeatureStore) -> Iterator[FeatureStore]:
    """Yield the finished stores, this one left out, whose features differ from it in the task alone."""
    for manifest in sorted(root_of(store).glob(f"*/{store.folder.parents[1].name}/*/*/{MANIFEST}")):
        if manifest.parent == store.folder:
            continue
        try:
            other = FeatureStore.open(manifest.parent)
        except InputError:  # of an earlier format, or damaged: computed again where it is asked for
            continue
        if recipe_of(other) == recipe_of(store):
            yield other


def recipe_of(store: FeatureStore) -> dict[str, object]:
    """Return what features of an image depend on, whatever task it is in."""
    return {name: value for name, value in store.identity.items() if name not in OF_THE_TASK}


def root_of(store: FeatureStore) -> Path:
    """Return the folder of all stores."""
    return store.folder.parents[3]  # <root>/<task>/<model>/<part>/<key>
