"""What features depend on: if any of it changes, the key changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from diffred_core import files
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features._pooling import AVERAGE, check_pool
from diffred_core.features._store import FeatureStore, key_of

EXTRACTOR_VERSION = 1  # raised when the same inputs give other features
DTYPES = {"float32": torch.float32, "float16": torch.float16}


def identity_of(
    backbone: Mapping[str, object],
    dataset: Dataset,
    *,
    split: str,
    layers: Sequence[str],
    dtype: str,
    computed_in: str,
    pool: str = AVERAGE,
) -> dict[str, object]:
    """Return all that the features of one split depend on, as JSON holds it.

    Parameters
    ----------
    backbone : mapping
        `Backbone.identity`: model, weights, preprocessing.
    computed_in : str
        As `_engine.computed_in` says.

    Raises
    ------
    InputError
        If `split`, `dtype` or `pool` is unknown.
    """
    check_split(dataset, split)
    if dtype not in DTYPES:
        raise InputError(f"expected dtype to be one of {', '.join(DTYPES)}, got {dtype!r}; name one of them")
    return {
        **backbone,
        "layers": list(layers),
        "dtype": dtype,
        "computed_in": computed_in,
        "dataset_fingerprint": dataset.fingerprint,
        "split_digest": hashlib.sha256(dataset.splits[split].numpy().tobytes()).hexdigest(),
        "extractor_version": EXTRACTOR_VERSION,
        # no entry for what all features were before there was a choice: their keys stand
        **({"pool": pool} if check_pool(pool) != AVERAGE else {}),
    }


def check_split(dataset: Dataset, split: str) -> None:
    """Refuse the name of a split that there is not."""
    if split not in dataset.splits:
        raise InputError(f"expected split to be one of {', '.join(dataset.splits)}, got {split!r}; name one of them")


def features_root(root: Path | str | None) -> Path:
    """Return `root`, else ``features`` under `files.runs_root`."""
    return Path(root) if root is not None else files.runs_root() / "features"


def store_of(
    identity: dict[str, object],
    dataset: Dataset,
    *,
    split: str,
    root: Path | str | None = None,
    part: str | None = None,
) -> FeatureStore:
    """Return the store of that identity, ``<root>/<task>/<model>/<part>/<key>``, finished or not.

    `part` is the name of the split unless the features are of something else than the plain images of it. Two folders
    of images of one name are told apart by digits of their content.
    """
    of_a_path = bool(files.split_task(dataset.name)[1])
    names = (
        f"{dataset.name}-{dataset.fingerprint[:8]}" if of_a_path else dataset.name,
        str(identity["model"]),
        part or split,
    )
    folder = features_root(root).joinpath(*map(files.slug, names)) / key_of(identity)[:16]
    indices = dataset.splits[split]
    sample_ids, images = (
        tuple(names[i] for i in indices.tolist()) for names in (dataset.sample_ids, dataset.image_digests)
    )
    return FeatureStore(folder, identity, sample_ids, dataset.y[indices], images)
