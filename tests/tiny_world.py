"""A world of seconds for the tests: a small random network saved as a checkpoint, and folders of small images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from diffred_core import backbones
from diffred_core.backbones import Backbone
from diffred_core.datasets import Dataset
from diffred_core.features import FeatureStore, Source

MODEL = "test_efficientnet"  # timm's smallest, 256 features


def write_checkpoint(path: Path, *, model: str = MODEL, seed: int = 0) -> Path:
    """Save a randomly initialised timm model; its batch norms are given statistics that are not the trivial ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state = timm.create_model(model, pretrained=False).state_dict()
    for name, tensor in state.items():
        if name.endswith("running_mean"):
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
        elif name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    save_file(state, path)
    return path


def write_images(folder: Path, *, classes: tuple[str, ...] = ("cat", "dog"), n: int = 5, size: int = 24) -> Path:
    """Write `n` images of coloured noise a class, one folder a class."""
    rng = np.random.default_rng(len(classes) * 1000 + n)
    for shade, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(0, 128, (size, size, 3)) + 100 * (shade % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i:03d}.png")
    return folder


def tiny_backbone(path: Path, *, image_size: int = 32) -> Backbone:
    """Return the small network with the weights at `path`, random ones written there if there are none."""
    checkpoint = path if path.is_file() else write_checkpoint(path)
    return backbones.load(MODEL, checkpoint=checkpoint, image_size=image_size)


def extract(backbone: Backbone, dataset: Dataset, *, split: str, layers=("penultimate",), pool="average",
            dtype="float32", **options: object) -> FeatureStore:  # fmt: skip
    """Return the finished store of one split of a dataset at hand under a network at hand."""
    return Source(backbone, dataset, **options).store(split, layers=layers, pool=pool, dtype=dtype)
