"""Random views of the images of a task, as a dataset whose images are the views."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features._view_recipe import ViewRecipe


@dataclass(frozen=True)
class View:
    """View `number` of some samples of a dataset, `size` pixels a side."""

    dataset: Dataset
    samples: Tensor
    recipe: ViewRecipe
    number: int
    size: int

    def viewed(self) -> Dataset:
        """Return the dataset of these samples whose images are the views."""
        none = self.samples[:0]
        images = zip(self.dataset.image_digests, self.dataset.sample_ids, strict=True)
        return replace(
            self.dataset,
            splits={"train": self.samples, "validation": none, "test": none},
            # with the name of the image, from which its crop is drawn
            image_digests=tuple(hashlib.sha256(f"{digest}\0{name}".encode()).hexdigest() for digest, name in images),
            read=self._image,
        )

    def _image(self, i: int) -> Image.Image:
        image = self.dataset.image(i, grey=not self.recipe.colour)
        return self.recipe.apply(image, sample_id=self.dataset.sample_ids[i], view=self.number, size=self.size)


def places_of(dataset: Dataset, rows: Tensor | Sequence[int] | None) -> tuple[Tensor, Tensor]:
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
