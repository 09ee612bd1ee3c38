"""Random views of the images of a task, and their features, kept like all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from diffred_core import datasets
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features._embeddings import PREFIX
from diffred_core.features._engine import n_threads
from diffred_core.features._extract import Extractor
from diffred_core.features._identity import features_root, identity_of, store_of
from diffred_core.features._layers import PENULTIMATE
from diffred_core.features._request import Request
from diffred_core.features._store import FeatureStore
from diffred_core.features._view_recipe import ViewRecipe


def load_views(
    model: str,
    task: str,
    *,
    rows: Tensor | Sequence[int] | None = None,
    n_views: int = 10,
    crop_scale: tuple[float, float] = (0.3, 1.0),
    flip: bool = False,
    colour: float = 0.0,
    view_seed: int = 0,
    checkpoint: Path | str | None = None,
    root: Path | str | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    layer: str = PENULTIMATE,
    image_size: int | None = None,
    model_args: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Tensor:
    """Return the features of augmented views of images, extracting what is not kept yet.

    A view is a random crop of the image, resized to the input of the network (bicubic), and nothing else unless
    `flip` or `colour` say so. The plain image is not among the views: its features are those of `load`, whose
    preprocessing is the network's own (often a centre crop). Every number of view is one store, so that more views
    extract only the new ones.

    Parameters
    ----------
    model, task, checkpoint, root, seed, device, layer, image_size, model_args, progress
        As in `load`.
    rows : LongTensor of shape (n_rows,), optional
        Which images: places in the train, validation and test samples of `load`, one split after the other
        (`TaskFeatures.together`). All by default.
    n_views : int, default=10
        Views of every image.
    crop_scale, flip, colour, view_seed
        As the attributes of `ViewRecipe`, `view_seed` its seed.

    Returns
    -------
    Tensor of shape (n_rows, n_views, n_features), float32
        Rows as asked for; view v is the same whatever `n_views` and `rows` are.

    Raises
    ------
    InputError
        If the task has no images, an option is out of range, or the features cannot be had.
    """
    if task.startswith(PREFIX):
        raise InputError(
            f"expected a task of images, got {task!r}: embeddings hold no images to crop; leave views out and take at "
            "least 2 shots, or pass features of views that you have made"
        )
    if n_views < 1:
        raise InputError(f"n_views must be at least 1, got {n_views}; leave views out for none")
    recipe = ViewRecipe(crop_scale, flip, colour, view_seed)
    dataset = datasets.load(task, seed=seed, image_size=image_size)
    samples, places = _samples(dataset, rows)
    request = Request.of(model, checkpoint, image_size=dataset.input_size, model_args=model_args)
    views = [_View(dataset, samples, recipe, number) for number in range(1, n_views + 1)]
    stores = [view.store(request, root=root, layer=layer, device=torch.device(device)) for view in views]
    _fill(stores, views, request, layer=layer, device=torch.device(device), progress=progress)
    return torch.stack([store.read(layer).float() for store in stores], dim=1)[places].to(device)


@dataclass(frozen=True)
class _View:
    """View `number` of some samples of a dataset."""

    dataset: Dataset
    samples: Tensor
    recipe: ViewRecipe
    number: int

    def viewed(self) -> Dataset:
        """Return the dataset of these samples whose images are the views."""
        none = self.samples[:0]
        return replace(self.dataset, splits={"train": self.samples, "validation": none, "test": none}, read=self._image)

    def store(self, request: Request, *, root: Path | str | None, layer: str, device: torch.device) -> FeatureStore:
        """Return the store of the features of these views, finished or not."""
        about = request.identity(features_root(root)) | {"view": self.recipe.identity(self.number)}
        viewed = self.viewed()
        identity = identity_of(about, viewed, split="train", layers=(layer,), dtype="float32", device=device)
        return store_of(identity, viewed, split="train", root=root, part=f"view-{self.number:02d}")

    def _image(self, i: int) -> Image.Image:
        sample_id, size = self.dataset.sample_ids[i], self.dataset.input_size
        return self.recipe.apply(self.dataset.image(i), sample_id=sample_id, view=self.number, size=size)


def _fill(
    stores: Sequence[FeatureStore],
    views: Sequence[_View],
    request: Request,
    *,
    layer: str,
    device: torch.device,
    progress: bool,
) -> None:
    """Extract the views that are not kept; the network is loaded only if there is one."""
    unfinished = [i for i, store in enumerate(stores) if not store.is_finished() or store.missing()]
    if not unfinished:
        return
    # A view has the size of the input already: the network's own resizing would crop it a second time.
    backbone = replace(request.backbone, transform=_pixels)
    extractor = Extractor(backbone, (layer,), 64, device, engine="auto", threads=n_threads(None), progress=progress)
    for i in unfinished:
        extractor.fill(stores[i], views[i].viewed(), split="train", what=f"view {views[i].number}")


def _pixels(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _samples(dataset: Dataset, rows: Tensor | Sequence[int] | None) -> tuple[Tensor, Tensor]:
    """Return the samples asked for, each once and in one order, and the place of every row among them."""
    every = torch.cat(list(dataset.splits.values()))
    rows = torch.arange(len(every)) if rows is None else torch.as_tensor(rows).cpu()
    if rows.ndim != 1 or rows.dtype != torch.int64 or not len(rows) or rows.min() < 0 or rows.max() >= len(every):
        raise InputError(
            f"rows must be places within 0..{len(every) - 1} in the samples of {dataset.name!r}, got "
            f"{rows.dtype} of shape {tuple(rows.shape)}{_range(rows)}; count through train, validation and test"
        )
    return every[rows].unique(return_inverse=True)


def _range(rows: Tensor) -> str:
    return f" from {rows.min().item()} to {rows.max().item()}" if rows.numel() else ""
