"""How features move with their image: products of the network's Jacobian with random directions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import jvp

from diffred_core.backbones import Backbone
from diffred_core.datasets import Dataset

BATCH = 16  # images at once: forward mode holds each map twice


def tangents(
    backbone: Backbone, dataset: Dataset, samples: Sequence[int], *, seed: int, device: torch.device
) -> Tensor:
    """Return ``J(x) z`` of every sample x, with a standard normal z of its own, ``(n_samples, n_features)``.

    x is the image as the network takes it, normalised: what a step of one means goes by that.
    """
    draw = torch.Generator().manual_seed(seed)
    home = next(backbone.module.parameters()).device
    backbone.module.to(device)
    rows = []
    for batch in torch.as_tensor(samples).split(BATCH):
        pixels = torch.stack([backbone.transform(dataset.image(i)) for i in batch.tolist()])
        images = backbone.normalised(pixels)
        directions = torch.randn(images.shape, generator=draw)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore", FutureWarning)  # torch's own, of a script that forward mode loads once
            moved = jvp(backbone.features, (images.to(device),), (directions.to(device),))[1]
        rows.append(moved.detach().float())
    backbone.module.to(home)
    return torch.cat(rows)
