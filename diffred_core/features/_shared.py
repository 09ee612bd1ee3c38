"""Features of images that were extracted for another task: found by the content of the image, copied row by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor

from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features._store import MANIFEST, FeatureStore, room

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


@contextmanager
def locked(store: FeatureStore, dataset: Dataset) -> Iterator[None]:
    """Hold off other processes that would extract features of the same images by the same network.

    Tasks with the same images have the same smallest digest, and so one lock: the second waits and copies. The lock is
    the system's, which releases it when its owner dies.
    """
    parts = [_recipe(store), min(dataset.image_digests, default="")]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    lock = _root(store) / ".locks" / digest[:16] / ".lock"
    with room(store.folder):
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        held.acquire()
    try:
        yield
    finally:
        held.release()


def _alike(store: FeatureStore) -> Iterator[FeatureStore]:
    """Yield the finished stores, this one left out, whose features differ from it in the task alone."""
    for manifest in sorted(_root(store).glob(f"*/{store.folder.parents[1].name}/*/*/{MANIFEST}")):
        if manifest.parent == store.folder:
            continue
        try:
            other = FeatureStore.open(manifest.parent)
        except InputError:  # of an earlier format, or damaged: computed again where it is asked for
            continue
        if _recipe(other) == _recipe(store):
            yield other


def _recipe(store: FeatureStore) -> dict[str, object]:
    return {name: value for name, value in store.identity.items() if name not in OF_THE_TASK}


def _root(store: FeatureStore) -> Path:
    return store.folder.parents[3]  # <root>/<task>/<model>/<part>/<key>
