"""From images to a feature store, all layers in one pass, continuing where it was interrupted."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor
from tqdm import tqdm

from diffred_core import files
from diffred_core.backbones import Transform
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features import _engine
from diffred_core.features._identity import DTYPES
from diffred_core.features._request import Request
from diffred_core.features._shared import Kept, locked
from diffred_core.features._store import SHARD_SIZE, FeatureStore

DELAY = 2.0  # seconds without a bar
AHEAD = 3  # batches being decoded while one is computed
CHUNK = 4  # images that one thread takes at a time
STDERR = "-"  # in ``DIFFRED_TERMINAL``, for a bar on the standard error of this process

_whole: ContextVar[list[FeatureStore] | None] = ContextVar("whole", default=None)


@contextmanager
def whole_stores() -> Iterator[list[FeatureStore]]:
    """Collect the stores that are filled, or met full, within the block."""
    stores: list[FeatureStore] = []
    token = _whole.set(stores)
    try:
        yield stores
    finally:
        _whole.reset(token)


@dataclass(frozen=True)
class Extractor:
    """A network made ready on one device, for any number of splits; see `Source` for the options."""

    request: Request
    layers: tuple[str, ...]
    pool: str
    batch_size: int
    device: torch.device
    precision: str
    engine: str
    threads: int
    progress: bool
    transform: Transform | None = None  # instead of the network's own

    def __post_init__(self) -> None:
        if self.batch_size < 1 or SHARD_SIZE % self.batch_size:
            # The same images then share a batch however often an extraction stops, which makes it bit-equal.
            raise InputError(f"expected batch_size to divide {SHARD_SIZE}, got {self.batch_size}; take 32, 64 or 128")
        _engine.choose(self.engine, self.device, self.precision)

    @cached_property
    def run(self) -> _engine.Engine:
        """The compiled network; built at the first missing shard, used for all of them."""
        return _engine.build_engine(
            self.request.backbone,
            self.layers,
            device=self.device,
            engine=self.engine,
            threads=self.threads,
            pool=self.pool,
            precision=self.precision,
        )

    @property
    def computed_in(self) -> str:
        """What the key of the features says of their precision."""
        return _engine.computed_in(self.engine, self.device, self.precision)

    def fill(self, store: FeatureStore, dataset: Dataset, *, split: str, what: str | None = None) -> None:
        """Compute the shards that are missing or damaged, then write the manifest; `what` is for the bar."""
        if not store.is_finished() or store.missing():
            self._complete(store, dataset, split, what or split)
        if (stores := _whole.get()) is not None:
            stores.append(store)

    def _complete(self, store: FeatureStore, dataset: Dataset, split: str, what: str) -> None:
        with locked(store, dataset):
            store.clear_parts()
            missing = store.missing()
            for shard, tensors in self._shards(store, dataset, split, what, missing):
                _check_finite(tensors, store.sample_ids[store.rows(shard)])
                store.write(shard, tensors)
            if missing or not store.is_finished():
                _check_varied(store)
                store.finish(made_by=self._made_by())

    def stream(self, dataset: Dataset, *, split: str) -> Iterator[tuple[Tensor, ...]]:
        """Yield the features of every layer, each (n, width), and last the labels (n,), batch by batch."""
        indices = dataset.splits[split]
        batches = indices.split(self.batch_size)
        pixels = self._pixels(dataset, [batch.tolist() for batch in batches])
        with self._bar(f"{dataset.name} {split}", len(indices)) as bar:
            for batch, images in zip(batches, pixels, strict=True):
                rows = self.run(images)
                _check_finite(dict(zip(self.layers, rows, strict=True)), [dataset.sample_ids[i] for i in batch])
                yield (*rows, dataset.y[batch])
                bar.update(len(batch))

    def _shards(
        self, store: FeatureStore, dataset: Dataset, split: str, what: str, missing: list[int]
    ) -> Iterator[tuple[int, dict[str, Tensor]]]:
        kept = Kept(store)
        images = {shard: store.images[store.rows(shard)] for shard in missing}
        indices = {shard: dataset.splits[split][store.rows(shard)][kept.unknown(images[shard])] for shard in missing}
        batches = {shard: [batch.tolist() for batch in indices[shard].split(self.batch_size)] for shard in missing}
        in_order = [batch for shard in missing for batch in batches[shard] if batch]
        pixels = self._pixels(dataset, in_order)
        dtype = DTYPES[store.identity["dtype"]]
        with self._bar(f"{dataset.name} {what}", sum(map(len, in_order))) as bar, closing(pixels):
            for shard in missing:
                rows = []
                for batch in filter(None, batches[shard]):
                    rows.append(self.run(next(pixels)))
                    bar.update(len(batch))
                layers = (torch.cat(parts).to(dtype) for parts in zip(*rows, strict=True))
                yield shard, kept.completed(images[shard], dict(zip(self.layers, layers, strict=bool(rows))))

    def _pixels(self, dataset: Dataset, batches: list[list[int]]) -> Generator[Tensor]:
        if not batches:  # all rows are kept: no network is loaded
            return
        transform = self.transform or self.request.backbone.transform
        yield from pixel_batches(dataset, transform, batches, threads=self.threads)

    @contextmanager
    def _bar(self, description: str, total: int) -> Iterator[tqdm[None]]:
        terminal = os.environ.get("DIFFRED_TERMINAL", "")
        here = terminal in ("", STDERR)
        hidden = here and (not (self.progress or terminal) or bool(os.environ.get("TQDM_DISABLE")))
        options = {"desc": f"{self.request.name} {description}", "total": total, "unit": "image", "delay": DELAY}
        with (
            nullcontext(sys.stderr) if here else open(terminal, "w", encoding="utf-8") as file,
            tqdm(**options, file=file, leave=here, disable=hidden) as bar,
        ):
            yield bar

    def _made_by(self) -> dict[str, object]:
        name = _engine.choose(self.engine, self.device, self.precision)
        packages = {package: _version(package) for package in ("torch", "timm", "pillow", "openvino")}
        weights = self.request.checkpoint
        about: dict[str, object] = {"engine": name, "device": str(self.device), "versions": packages}
        about["precision"] = self.precision
        return about if weights is None else {**about, "checkpoint_sha256": files.sha256(weights)}


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


def pixel_batches(
    dataset: Dataset, transform: Transform, batches: Sequence[Sequence[int]], *, threads: int
) -> Generator[Tensor]:
    """Yield one uint8 tensor of shape (n, 3, input_size, input_size) for every list of sample indices.

    Pillow decodes and resizes without the interpreter's lock, so threads keep up with the network.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        decoding: deque[list[Future[list[Tensor]]]] = deque()
        try:
            for batch in batches:
                chunks = [batch[i : i + CHUNK] for i in range(0, len(batch), CHUNK)]
                decoding.append([pool.submit(_pixels, dataset, transform, chunk) for chunk in chunks])
                if len(decoding) > AHEAD:
                    yield _stacked(decoding.popleft())
            while decoding:
                yield _stacked(decoding.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pixels(dataset: Dataset, transform: Transform, chunk: Sequence[int]) -> list[Tensor]:
    return [transform(dataset.image(i, grey=True)) for i in chunk]


def _stacked(futures: list[Future[list[Tensor]]]) -> Tensor:
    return torch.stack([pixels for future in futures for pixels in future.result()])
