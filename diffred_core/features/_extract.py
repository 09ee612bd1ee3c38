"""From images to a feature store, all layers in one pass, going on where it was interrupted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from diffred_core.backbones import Backbone
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features import _engine
from diffred_core.features._batches import pixel_batches
from diffred_core.features._identity import DTYPES, identity_of, store_of
from diffred_core.features._layer_names import Layers, layer_names
from diffred_core.features._layers import PENULTIMATE, check_layers
from diffred_core.features._pooling import AVERAGE
from diffred_core.features._store import SHARD_SIZE, FeatureStore


def extract(
    backbone: Backbone,
    dataset: Dataset,
    *,
    split: str,
    root: Path | str | None = None,
    layers: Layers = (PENULTIMATE,),
    pool: str = AVERAGE,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    engine: str = "auto",
    dtype: str = "float32",
    threads: int | None = None,
    progress: bool = True,
) -> FeatureStore:
    """Extract the features of one split, or return them where they are already kept.

    Parameters
    ----------
    backbone, dataset
        What gives the features, and of what.
    split : {"train", "validation", "test"}
    root : path, optional
        Folder of all stores; ``features`` under `paths.runs_root` by default.
    layers : sequence of str, or str
        ``"penultimate"`` or names of modules, in the order in which they are kept; or ``"blocks"``, ``"stages"``,
        ``"convolutions"``, in the order in which the network runs them (`layer_names`). One pass gives all.
    pool : {"average", "2x2", "cls", "tokens"}
        How maps and tokens become one row an image (`_pooling.pooled`).
    batch_size : int
        Images computed at once; it divides a shard of 512.
    device : str, optional
        ``"cpu"`` (the default) or ``"cuda"``.
    engine : {"auto", "openvino", "torch"}
        ``auto`` takes OpenVINO on a CPU where it is installed. Both give the same features within 1e-4.
    dtype : {"float32", "float16"}
        In which the features are kept.
    threads : int, optional
        ``$OMP_NUM_THREADS`` or all cores by default.
    progress : bool
        Show a bar on stderr once it takes longer than two seconds, unless ``TQDM_DISABLE`` is set.

    Returns
    -------
    FeatureStore

    Raises
    ------
    InputError
        If an option is none of those above, an image cannot be decoded, a feature is not finite, all features are
        constant, or the disk is full.
    """
    device = torch.device(device or "cpu")
    layers = layer_names(backbone, layers) if isinstance(layers, str) else check_layers(backbone, layers)
    extractor = Extractor(backbone, layers, batch_size, device, engine, _engine.n_threads(threads), progress, pool)
    identity = identity_of(
        backbone.identity, dataset, split=split, layers=layers, pool=pool, dtype=dtype, device=device
    )
    store = store_of(identity, dataset, split=split, root=root)
    extractor.fill(store, dataset, split=split)
    return store


@dataclass(frozen=True)
class Extractor:
    """A backbone made ready on one device, for any number of splits; see `extract` for the options."""

    backbone: Backbone
    layers: tuple[str, ...]
    batch_size: int
    device: torch.device
    engine: str
    threads: int
    progress: bool
    pool: str = AVERAGE

    def __post_init__(self) -> None:
        if self.batch_size < 1 or SHARD_SIZE % self.batch_size:
            # The same images then share a batch however often an extraction stops, which makes it bit-equal.
            raise InputError(f"expected batch_size to divide {SHARD_SIZE}, got {self.batch_size}; take 32, 64 or 128")
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise InputError(f"expected a CUDA device for device={str(self.device)!r}, found none; take 'cpu'")
        _engine.choose(self.engine, self.device)

    @cached_property
    def run(self) -> _engine.Engine:
        """The compiled network; built at the first missing shard, used for all of them."""
        return _engine.build(
            self.backbone, self.layers, device=self.device, engine=self.engine, threads=self.threads, pool=self.pool
        )

    def fill(self, store: FeatureStore, dataset: Dataset, *, split: str, what: str | None = None) -> None:
        """Compute the shards that are missing or damaged, then write the manifest; `what` is for the bar."""
        with store.locked():
            missing = store.missing()
            for shard, tensors in self._shards(store, dataset, split, what or split, missing):
                _check_finite(tensors, store.sample_ids[store.rows(shard)])
                store.write(shard, tensors)
            if missing or not store.is_finished():
                _check_varied(store)
                store.finish(made_by=self._made_by())

    def stream(self, dataset: Dataset, *, split: str) -> Iterator[tuple[Tensor, ...]]:
        """Yield the features of every layer, each (n, width), and last the labels (n,), batch by batch."""
        indices = dataset.splits[split]
        batches = indices.split(self.batch_size)
        pixels = pixel_batches(dataset, self.backbone, [batch.tolist() for batch in batches], threads=self.threads)
        with _bar(f"{self.backbone.name} {dataset.name} {split}", len(indices), self.progress) as bar:
            for batch, images in zip(batches, pixels, strict=True):
                found = self.run(images)
                _check_finite(dict(zip(self.layers, found, strict=True)), [dataset.sample_ids[i] for i in batch])
                yield (*found, dataset.y[batch])
                bar.update(len(batch))

    def _shards(
        self, store: FeatureStore, dataset: Dataset, split: str, what: str, missing: list[int]
    ) -> Iterator[tuple[int, dict[str, Tensor]]]:
        rows = {shard: dataset.splits[split][store.rows(shard)].split(self.batch_size) for shard in missing}
        every = [batch.tolist() for shard in missing for batch in rows[shard]]
        pixels = pixel_batches(dataset, self.backbone, every, threads=self.threads)
        kept = DTYPES[str(store.identity["dtype"])]
        with _bar(f"{self.backbone.name} {dataset.name} {what}", sum(map(len, every)), self.progress) as bar:
            for shard in missing:
                found = []
                for batch in rows[shard]:
                    found.append(self.run(next(pixels)))
                    bar.update(len(batch))
                layers = (torch.cat(parts).to(kept) for parts in zip(*found, strict=True))
                yield shard, dict(zip(self.layers, layers, strict=True))
        pixels.close()

    def _made_by(self) -> dict[str, object]:
        name = _engine.choose(self.engine, self.device)
        packages = {package: _version(package) for package in ("torch", "timm", "pillow", "openvino")}
        return {"engine": name, "device": str(self.device), "versions": packages}


def _bar(description: str, total: int, progress: bool) -> tqdm:
    hidden = not progress or bool(os.environ.get("TQDM_DISABLE"))
    return tqdm(desc=description, total=total, unit="image", delay=2, disable=hidden)


def _check_finite(tensors: dict[str, Tensor], sample_ids: Sequence[str]) -> None:
    for layer, X in tensors.items():
        bad = (~X.isfinite()).any(dim=1).nonzero().flatten()
        if len(bad):
            raise InputError(
                f"expected finite features, got {len(bad)} rows with NaN or infinity in layer {layer!r}, the first of "
                f"sample {sample_ids[int(bad[0])]!r}; check the weights, or keep and compute them in float32"
            )


def _check_varied(store: FeatureStore) -> None:
    for layer in store.layers:
        X = store.read(layer)
        # Not exactly equal: where an image lies in its batch may change the last bit of its features.
        if len(X) > 1 and bool((X - X[0]).abs().max() <= 1e-6 * X.abs().max()):
            raise InputError(
                f"expected features that differ between images, got the same row for all {len(X)} of them in layer "
                f"{layer!r}; check the weights and the images"
            )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
