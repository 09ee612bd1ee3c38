"""Several jobs that need the same features: of one store they share the shards, of other stores they wait."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from filelock import FileLock, Timeout

from diffred_core import files
from diffred_core.datasets import Dataset
from diffred_core.features._shared import recipe_of, root_of
from diffred_core.features._store import FeatureStore, room

POLL = 0.1  # seconds between two looks at a lock of others


@contextmanager
def joined(store: FeatureStore, dataset: Dataset) -> Iterator[Claims]:
    """Hold off jobs that would extract features of the same images by the same network for another store.

    Tasks with the same images have the same smallest digest, and so one lock: the second waits and copies. A job for
    the store that is being filled comes in. Locks are the system's, which releases them when their owner dies.
    """
    parts = [recipe_of(store), min(dataset.image_digests, default="")]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    claims = Claims(store, root_of(store) / ".locks" / digest)
    with room(store.folder):
        store.folder.mkdir(parents=True, exist_ok=True)
    with claims.first() or nullcontext():
        try:
            yield claims
        finally:
            claims.release_all()


class Claims:
    """The shards of a store that this job computes; a job beside it takes others, and those of one that died."""

    def __init__(self, store: FeatureStore, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.held: dict[int, FileLock] = {}

    def first(self) -> AbstractContextManager[None] | None:
        """Wait for other stores; return what ends the hold on them, or None where another job fills this store."""
        lock, filled = self._lock(), self.folder / "store"
        while not self._taken(lock, timeout=POLL):
            if _text(filled) == self.store.key:
                return None
        return self._first(lock, filled)

    @contextmanager
    def _first(self, lock: FileLock, filled: Path) -> Iterator[None]:
        try:
            with room(self.store.folder):
                files.write_text(filled, self.store.key)
            yield
        finally:
            filled.unlink(missing_ok=True)
            lock.release()

    def take(self, shards: Iterable[int]) -> Iterator[int]:
        """Yield those of `shards` that nobody is at work on; each is this job's until it is released."""
        for shard in shards:
            lock = self._lock(f"{shard:05d}")
            if not self._taken(lock, timeout=0):
                continue
            self.held[shard] = lock
            if self.store.holds(shard):  # another job was faster
                self.release(shard)
            else:
                yield shard

    def release(self, shard: int) -> None:
        """Let go of a shard, once it is written."""
        self.held.pop(shard).release()

    def release_all(self) -> None:
        """Let go of what was not written."""
        for shard in list(self.held):
            self.release(shard)

    def wait(self, shard: int) -> None:
        """Wait until nobody is at work on `shard`."""
        with self.alone(f"{shard:05d}"):
            pass

    @contextmanager
    def alone(self, step: str) -> Iterator[None]:
        """Let one job at a time do a step that concerns the whole store."""
        lock = self._lock(step)
        self._taken(lock, timeout=-1)
        try:
            yield
        finally:
            lock.release()

    def _lock(self, name: str = "") -> FileLock:
        return FileLock(self.folder / name / ".lock")

    def _taken(self, lock: FileLock, *, timeout: float) -> bool:
        with room(self.store.folder):
            Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=timeout)
            except Timeout:
                return False
        return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
