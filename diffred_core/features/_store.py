"""One folder of features: safetensors shards, each whole and checked, and a manifest written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from diffred_core import files
from diffred_core.errors import InputError

SHARD_SIZE = 512  # images; a multiple of every batch size that is a power of two up to it
MANIFEST = "manifest.json"
BEGUN = ".begun.json"  # what must be the same for the shards still to come


def key_of(identity: Mapping[str, object]) -> str:
    """Return the SHA-256 of everything that the features depend on."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class FeatureStore:
    """Features of the samples of one split, by layer, in one folder.

    Attributes
    ----------
    folder : Path
        Where the shards and ``manifest.json`` lie. Nothing is read from its name.
    identity : dict
        Model, weights, preprocessing, layers, dtype, dataset and split that the features are of.
    sample_ids : tuple of str
        One a row.
    y : LongTensor of shape (n_samples,)
        Class indices.
    images : tuple of str
        SHA-256 of the content of every image: by it other tasks find rows of the same image.
    """

    folder: Path
    identity: dict[str, Any]
    sample_ids: tuple[str, ...]
    y: Tensor
    images: tuple[str, ...]

    @classmethod
    def open(cls, folder: Path | str) -> FeatureStore:
        """Return the finished store in `folder`, whatever that folder is called.

        Raises
        ------
        InputError
            If there is no readable manifest, or it does not carry its own key.
        """
        folder = Path(folder)
        manifest = _read_manifest(folder)
        if manifest is None:
            raise InputError(
                f"expected a finished feature store, but {str(folder)!r} has no sound {MANIFEST}; extract it again"
            )
        names, images = (tuple(manifest[entry]) for entry in ("sample_ids", "images"))
        return cls(folder, manifest["identity"], names, torch.tensor(manifest["y"]), images)

    @property
    def key(self) -> str:
        """SHA-256 of `identity`; features with another key are other features."""
        return key_of(self.identity)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers in every shard."""
        return tuple(self.identity["layers"])

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return len(self.sample_ids)

    @property
    def n_shards(self) -> int:
        """Number of shards when finished."""
        return -(-self.n_samples // SHARD_SIZE)

    def rows(self, shard: int) -> slice:
        """Return the rows that `shard` holds."""
        return slice(shard * SHARD_SIZE, min((shard + 1) * SHARD_SIZE, self.n_samples))

    def missing(self) -> list[int]:
        """Return the shards that are absent, damaged, or of other features."""
        return [shard for shard in range(self.n_shards) if not self.holds(shard)]

    def holds(self, shard: int) -> bool:
        """Return whether `shard` is there, whole and of these features."""
        return self._payload(shard) is not None

    @property
    def batch_size(self) -> int | None:
        """How many images at once made the shards that are there, where that was found by itself.

        A batch of another size may change the last bit of features; what is missing is computed as the rest was.
        """
        finished = _read_manifest(self.folder) or {}
        begun = files.read_sealed(self.folder / BEGUN) or {}
        size: int | None = finished.get("made_by", begun).get("batch_size")
        return size

    def keep_batch_size(self, n_images: int) -> None:
        """Remember `batch_size` until the manifest has it."""
        with room(self.folder):
            files.write_sealed(self.folder / BEGUN, {"batch_size": n_images})

    def is_finished(self) -> bool:
        """Return whether the manifest is there and carries this key."""
        manifest = _read_manifest(self.folder)
        return manifest is not None and manifest.get("key") == self.key

    def write(self, shard: int, tensors: Mapping[str, Tensor]) -> None:
        """Write one shard, whole or not at all.

        Parameters
        ----------
        tensors : mapping of str to Tensor of shape (n_rows, width)
            One of every layer.

        Raises
        ------
        InputError
            If the disk takes no more.
        """
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        # One entry: safetensors writes several in an order of its own choosing, and equal shards would differ.
        metadata = {"about": json.dumps(self._about(shard, contiguous), sort_keys=True)}
        with room(self.folder):
            files.write_bytes(self._path(shard), save(contiguous, metadata))

    def finish(self, *, made_by: Mapping[str, object]) -> None:
        """Write the manifest, after the last shard.

        Parameters
        ----------
        made_by : mapping
            Engine and versions: worth knowing, no part of the key.
        """
        manifest = {
            "key": self.key,
            "identity": self.identity,
            "sample_ids": self.sample_ids,
            "y": self.y.tolist(),
            "images": self.images,
            "shards": [self._path(shard).name for shard in range(self.n_shards)],
            "made_by": dict(made_by),
        }
        with room(self.folder):
            files.write_sealed(self.folder / MANIFEST, manifest)
            (self.folder / BEGUN).unlink(missing_ok=True)

    def read(self, layer: str = "penultimate") -> Tensor:
        """Return the features of one layer, (n_samples, width), in the dtype they are kept in.

        Raises
        ------
        InputError
            If the layer is not kept, or a shard is missing or damaged.
        """
        if layer not in self.layers:
            raise InputError(f"expected one of the layers {', '.join(self.layers)}, got {layer!r}; extract it too")
        return self._read((layer,))[layer]

    def read_all(self) -> dict[str, Tensor]:
        """Return the features of every layer, each (n_samples, width), reading every shard once.

        Raises
        ------
        InputError
            If a shard is missing or damaged.
        """
        return self._read(self.layers)

    def _read(self, layers: Sequence[str]) -> dict[str, Tensor]:
        payloads = self._whole(range(self.n_shards))
        return {layer: torch.cat([payload[layer] for payload in payloads]) for layer in layers}

    def _whole(self, shards: Sequence[int]) -> list[dict[str, Tensor]]:
        payloads = []
        for shard in shards:
            if (payload := self._payload(shard)) is None:
                raise InputError(
                    f"expected whole shards in {str(self.folder)!r}, but {self._path(shard).name!r} is missing or "
                    "damaged; extract again to redo only that one"
                )
            payloads.append(payload)
        return payloads

    @property
    def manifest(self) -> Path:
        """The file that a finished store has."""
        return self.folder / MANIFEST

    def clear_parts(self) -> None:
        """Remove what a killed process left half-written; only once no shard is missing, for nobody writes then."""
        with room(self.folder):
            for part in self.folder.glob(".*.part"):
                part.unlink()

    def take(self, rows: Tensor) -> dict[str, Tensor]:
        """Return some rows of every layer, each (n_rows, width), reading only the shards that hold them.

        Parameters
        ----------
        rows : LongTensor of shape (n_rows,)

        Raises
        ------
        InputError
            If one of these shards is missing or damaged.
        """
        shards, which = (rows // SHARD_SIZE).unique(return_inverse=True)
        payloads = self._whole(shards.tolist())
        lengths = torch.tensor([self.rows(shard).stop - self.rows(shard).start for shard in shards.tolist()])
        places = (lengths.cumsum(0) - lengths)[which] + rows % SHARD_SIZE
        return {layer: torch.cat([payload[layer] for payload in payloads])[places] for layer in self.layers}

    def _path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.safetensors"

    def _payload(self, shard: int) -> dict[str, Tensor] | None:
        try:
            with safe_open(self._path(shard), framework="pt") as file:
                about = (file.metadata() or {}).get("about", "{}")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (OSError, SafetensorError):
            return None
        return tensors if about == json.dumps(self._about(shard, tensors), sort_keys=True) else None

    def _about(self, shard: int, tensors: Mapping[str, Tensor]) -> dict[str, object]:
        return {"key": self.key, "shard": shard, "sha256": _digest(tensors)}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(f"{name}\0{tensors[name].dtype}\0{tuple(tensors[name].shape)}\0".encode())
        total.update(tensors[name].flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest if it is whole and carries its own key."""
    manifest = files.read_sealed(folder / MANIFEST)
    return manifest if manifest and manifest.get("key") == key_of(manifest.get("identity", {})) else None


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Say in one sentence that the disk of `folder` takes no more."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"expected to write features into {str(folder)!r}, got {error.strerror or error}; make room or set "
            "DIFFRED_RUNS to a folder on another disk, then run again: finished shards are kept"
        ) from error
