"""Images of a task made worse by degrees: noise, blur, contrast, pixels, each with five severities.

The four are among those of Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions
and Perturbations", with the constants of their released code: those of ImageNet-C, or of CIFAR-10-C for images of at
most 64 pixels a side, whose details a blur of six pixels would wipe out. Differs from theirs: images keep their own
size instead of being cropped to 224 x 224 first, and the noise of an image is drawn from its name, so that it does not
depend on which other images are read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image

from diffred_core.datasets._dataset import Dataset
from diffred_core.errors import InputError, near_names

SEVERITIES = range(1, 6)
SMALL = 64  # pixels a side up to which the constants of CIFAR-10-C hold
VERSION = 1  # raised when the same name gives other images
_NAME = re.compile(r"(?P<task>.+)\+(?P<kind>[a-z_]+)(:(?P<severity>[^:/+]*))?", re.DOTALL)

Pixels = np.ndarray  # float64 (height, width, 3) in 0..1
Corruption = Callable[[Pixels, float, np.random.Generator], Pixels]


def _noise(x: Pixels, deviation: float, rng: np.random.Generator) -> Pixels:
    return x + rng.normal(0.0, deviation, x.shape)


def _blur(x: Pixels, deviation: float, _rng: np.random.Generator) -> Pixels:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(x, (deviation, deviation, 0), mode="nearest")


def _contrast(x: Pixels, factor: float, _rng: np.random.Generator) -> Pixels:
    mean = x.mean(axis=(0, 1), keepdims=True)
    return (x - mean) * factor + mean


def _pixelate(x: Pixels, factor: float, _rng: np.random.Generator) -> Pixels:
    image = Image.fromarray(_bytes(x))
    coarse = image.resize([max(1, int(side * factor)) for side in image.size], Image.Resampling.BOX)
    return np.asarray(coarse.resize(image.size, Image.Resampling.BOX)) / 255


# Name: function, constants of ImageNet-C by severity, constants of CIFAR-10-C by severity.
CORRUPTIONS: dict[str, tuple[Corruption, tuple[float, ...], tuple[float, ...]]] = {
    "noise": (_noise, (0.08, 0.12, 0.18, 0.26, 0.38), (0.04, 0.06, 0.08, 0.09, 0.10)),
    "blur": (_blur, (1, 2, 3, 4, 6), (0.4, 0.6, 0.7, 0.8, 1.0)),
    "contrast": (_contrast, (0.4, 0.3, 0.2, 0.1, 0.05), (0.75, 0.5, 0.4, 0.3, 0.15)),
    "pixelate": (_pixelate, (0.6, 0.5, 0.4, 0.3, 0.25), (0.95, 0.9, 0.85, 0.75, 0.65)),
}


def split_corruption(task: str) -> tuple[str, str, int] | None:
    """Return task, corruption and severity of a name such as ``mnist5k+noise:3``, or None for a plain task.

    A path may hold a plus sign: what follows the last one of a ``folder:`` is a corruption only by a known name.
    """
    parts = _NAME.fullmatch(task)
    if parts is None or (parts["kind"] not in CORRUPTIONS and task.startswith("folder:")):
        return None
    kind, severity = parts["kind"], parts["severity"] or ""
    if kind not in CORRUPTIONS:
        raise InputError(
            f"unknown corruption {kind!r} in task {task!r}{near_names(kind, CORRUPTIONS)} "
            f"(known: {', '.join(CORRUPTIONS)})"
        )
    if severity not in map(str, SEVERITIES):
        raise InputError(
            f"expected a severity of 1 to 5 in task {task!r}, got {severity or 'none'!r}; write for instance "
            f"{parts['task']}+{kind}:3"
        )
    return parts["task"], kind, int(severity)


def corrupted(dataset: Dataset, kind: str, severity: int) -> Dataset:
    """Return `dataset` with every image corrupted when it is read; labels, names and splits are the same."""
    change = f"{kind}:{severity} v{VERSION}"
    images = zip(dataset.image_digests, dataset.sample_ids, strict=True)
    # with the name of the image, from which its noise is drawn
    digests = tuple(hashlib.sha256(f"{digest}\0{name}\0{change}".encode()).hexdigest() for digest, name in images)

    def read(i: int) -> Image.Image:
        return corrupt(dataset.image(i), kind, severity, name=dataset.sample_ids[i])

    return replace(
        dataset,
        name=f"{dataset.name}+{kind}:{severity}",
        source=f"{dataset.source}, with {kind} of severity {severity} (Hendrycks and Dietterich 2019)",
        image_digests=digests,
        read=read,
    )


def corrupt(image: Image.Image, kind: str, severity: int, *, name: str) -> Image.Image:
    """Return an RGB image corrupted; what is random in it is drawn from `kind` and the `name` of the image.

    The noise of an image is one pattern for all severities, only stronger.
    """
    function, large, small = CORRUPTIONS[kind]
    constant = (small if max(image.size) <= SMALL else large)[severity - 1]
    seed = int.from_bytes(hashlib.sha256(f"{kind}\0{name}".encode()).digest()[:8])
    x = function(np.asarray(image) / 255, constant, np.random.default_rng(seed))
    return Image.fromarray(_bytes(x))


def _bytes(x: Pixels) -> np.ndarray:
    return np.rint(x.clip(0, 1) * 255).astype(np.uint8)
