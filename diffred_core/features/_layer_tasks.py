"""Features of every layer of a model on a task, from one pass over the images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from diffred_core import datasets, files
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features._embeddings import PREFIX
from diffred_core.features._identity import features_root
from diffred_core.features._layer_names import Layers, layer_names
from diffred_core.features._pooling import AVERAGE, check_pool
from diffred_core.features._request import Request
from diffred_core.features._stores import finished_stores
from diffred_core.features._task import TaskFeatures


def load_layers(
    model: str,
    task: str,
    *,
    layers: Layers = "blocks",
    pool: str = AVERAGE,
    splits: Sequence[str] | None = None,
    checkpoint: Path | str | None = None,
    root: Path | str | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    image_size: int | None = None,
    model_args: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> dict[str, TaskFeatures]:
    """Return the features of several layers on a task by layer, extracting in one pass what is not kept yet.

    Parameters
    ----------
    model, task, checkpoint, root, seed, device, image_size, model_args, progress
        As in `load`.
    layers : str or sequence of str
        ``"blocks"``, ``"stages"``, ``"convolutions"``, or names and patterns of modules: see `layer_names`.
    pool : {"average", "2x2", "cls", "tokens"}
        How maps and tokens become one row an image.
    splits : sequence of str, optional
        Which splits; all by default.

    Returns
    -------
    dict of str to TaskFeatures
        In the order in which the network runs the layers.

    Raises
    ------
    InputError
        As `load` and `layer_names`; if the task is a file of embeddings, which is one layer.
    """
    if task.startswith(PREFIX):
        raise InputError(f"expected a task of images for features by layer, got {task!r}; a file of embeddings is one")
    check_pool(pool)
    dataset = datasets.load(task, seed=seed, image_size=image_size)
    request = Request.of(model, checkpoint, image_size=dataset.input_size, model_args=model_args)
    names = _resolved(request, layers, root=features_root(root))
    stores = finished_stores(
        request,
        dataset,
        layers=names,
        pool=pool,
        splits=splits,
        root=root,
        device=torch.device(device),
        progress=progress,
    )
    kept = {split: (store.read_all(), store.y.to(device)) for split, store in stores.items()}
    keys = {split: store.key for split, store in stores.items()}
    return {name: _of_layer(model, dataset, name, kept, keys, device) for name in names}


def _of_layer(
    model: str, dataset: Dataset, layer: str, kept: Mapping, keys: dict[str, str], device: str | torch.device
) -> TaskFeatures:
    splits = {split: (tensors[layer].float().to(device), y) for split, (tensors, y) in kept.items()}
    return TaskFeatures(model, dataset.name, dataset.classes, keys, splits)


def _resolved(request: Request, layers: Layers, *, root: Path) -> tuple[str, ...]:
    """Return `layer_names`, remembered under `root` so that kept features are read without loading a network."""
    asked = [request.identity(root), layers if isinstance(layers, str) else list(layers), version("timm")]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    memory = root / ".layers" / f"{digest}.json"
    if not memory.is_file():
        files.write_json(memory, layer_names(request.backbone, layers))
    return tuple(json.loads(memory.read_text(encoding="utf-8")))
