"""From images to a feature store, all layers in one pass, continuing where it was interrupted."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, islice

import torch
from torch import Tensor
from tqdm import tqdm

from diffred_core import files
from diffred_core.backbones import Transform
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features import _engine
from diffred_core.features._batches import pixel_batches
from diffred_core.features._claims import Claims, joined
from diffred_core.features._fitting import found_size
from diffred_core.features._identity import DTYPES
from diffred_core.features._pipeline import Engine, Rows, in_order
from diffred_core.features._request import Request
from diffred_core.features._shared import Kept
from diffred_core.features._sound import check_finite, check_varied
from diffred_core.features._store import SHARD_SIZE, FeatureStore
from diffred_core.features._torch import torch_threads

DELAY = 2.0  # seconds without a bar
BATCH = 64  # images at once on a CPU
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
    batch_size: int | None
    device: torch.device
    precision: str
    engine: str
    threads: int
    progress: bool
    transform: Transform | None = None  # instead of the network's own
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.batch_size is not None and (self.batch_size < 1 or SHARD_SIZE % self.batch_size):
            # The same images then share a batch however often an extraction stops, which makes it bit-equal.
            raise InputError(f"expected batch_size to divide {SHARD_SIZE}, got {self.batch_size}; take 32, 64 or 128")
        _engine.choose(self.engine, self.device, self.precision)

    @cached_property
    def run(self) -> Engine:
        """The compiled network; built at the first missing shard, used for all of them."""
        return _engine.build_engine(
            self.request.backbone,
            self.layers,
            device=self.device,
            engine=self.engine,
            threads=self.threads,
            pool=self.pool,
            precision=self.precision,
            compiled=self.compiled,
        )

    @cached_property
    def _found(self) -> int:
        return found_size(self.run, image_size=self.request.backbone.input_size, pinned=True)

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
        # What is done to rows is little: torch's other threads would spin beside those that decode and compute.
        with joined(store, dataset) as claims, torch_threads(1):
            n_written = self._write_missing(claims, dataset, split, what)
            with claims.alone("manifest"):
                if n_written or not store.is_finished():
                    store.clear_parts()
                    check_varied(store)
                    store.finish(made_by=self._made_by(store))

    def _write_missing(self, claims: Claims, dataset: Dataset, split: str, what: str) -> int:
        """Compute what no other job computes, until no shard is missing; return how many this one wrote."""
        store, n_written = claims.store, 0
        kept, missing = Kept(store), store.missing()
        unknown = {
            shard: dataset.splits[split][store.rows(shard)][kept.unknown(_images(store, shard))] for shard in missing
        }
        with self._bar(f"{dataset.name} {what}", sum(map(len, unknown.values()))) as bar:
            while missing:
                written = 0
                for shard, tensors in self._shards(claims, dataset, kept, {shard: unknown[shard] for shard in missing}):
                    check_finite(tensors, store.sample_ids[store.rows(shard)])
                    store.write(shard, tensors)
                    claims.release(shard)
                    bar.update(len(unknown[shard]))
                    written += 1
                missing = [shard for shard in missing if not store.holds(shard)]
                if missing and not written:
                    claims.wait(missing[0])
                n_written += written
        return n_written

    def stream(self, dataset: Dataset, *, split: str) -> Iterator[tuple[Tensor, ...]]:
        """Yield the features of every layer, each (n, width), and last the labels (n,), batch by batch."""
        indices = dataset.splits[split]
        batches = indices.split(self._size())
        rows = self._rows(dataset, (batch.tolist() for batch in batches))
        with self._bar(f"{dataset.name} {split}", len(indices)) as bar, closing(rows):
            for batch, layers in zip(batches, rows, strict=True):
                check_finite(dict(zip(self.layers, layers, strict=True)), [dataset.sample_ids[i] for i in batch])
                yield (*layers, dataset.y[batch])
                bar.update(len(batch))

    def _shards(
        self, claims: Claims, dataset: Dataset, kept: Kept, unknown: dict[int, Tensor]
    ) -> Iterator[tuple[int, dict[str, Tensor]]]:
        """Yield the shards that this job gets hold of, whole; `unknown` has the images of each that no store has."""
        store, dtype = claims.store, DTYPES[claims.store.identity["dtype"]]
        copied: list[int] = []
        begun: deque[tuple[int, int]] = deque()  # shards and their number of batches

        def lists() -> Iterator[list[int]]:
            for shard in claims.take(unknown):
                if not len(unknown[shard]):
                    copied.append(shard)
                    continue
                batches = unknown[shard].split(self._size(claims))
                begun.append((shard, len(batches)))
                yield from (batch.tolist() for batch in batches)

        with closing(self._rows(dataset, lists())) as rows:
            for first in rows:
                shard, n_batches = begun.popleft()
                parts = [first, *islice(rows, n_batches - 1)]
                layers = (torch.cat(part).to(dtype) for part in zip(*parts, strict=True))
                computed = dict(zip(self.layers, layers, strict=True))
                yield shard, kept.completed(_images(store, shard), computed)
        for shard in copied:
            yield shard, kept.completed(_images(store, shard), {})

    def _rows(self, dataset: Dataset, batches: Iterable[list[int]]) -> Generator[Rows]:
        """Yield the features of batches of sample indices; without one, no network is loaded."""
        batches = iter(batches)
        if (first := next(batches, None)) is None:
            return
        transform, on_gpu = self.transform or self.request.backbone.transform, self.device.type == "cuda"
        lists = chain([first], batches)
        pixels = pixel_batches(dataset, transform, lists, threads=self.threads, small=on_gpu, pinned=on_gpu)
        with closing(pixels):
            yield from in_order(lambda: self.run, pixels)

    def _size(self, claims: Claims | None = None) -> int:
        """Return how many images to compute at once: as asked, as the rest of the store was, or what is worth it."""
        if self.batch_size is not None:
            return self.batch_size
        if self.device.type == "cpu":
            return (claims and claims.store.batch_size) or BATCH
        if claims is None:
            return self._found
        with claims.alone("batch-size"):
            kept = claims.store.batch_size
            size = min(kept or self._found, self.run.most())
            if size != kept:
                claims.store.keep_batch_size(size)
            return size

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

    def _made_by(self, store: FeatureStore) -> dict[str, object]:
        name = _engine.choose(self.engine, self.device, self.precision)
        packages = {package: _version(package) for package in ("torch", "timm", "pillow", "openvino")}
        weights = self.request.checkpoint
        about: dict[str, object] = {"engine": name, "device": str(self.device), "versions": packages}
        about |= {"precision": self.precision, "batch_size": self.batch_size or store.batch_size or BATCH}
        return about if weights is None else {**about, "checkpoint_sha256": files.sha256(weights)}


def _images(store: FeatureStore, shard: int) -> tuple[str, ...]:
    return store.images[store.rows(shard)]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
