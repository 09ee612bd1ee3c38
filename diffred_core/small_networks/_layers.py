"""Features of every convolution or block of a network, in one pass over pixels in memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffred_core.backbones import Backbone
from diffred_core.errors import InputError
from diffred_core.features import PENULTIMATE, build_engine, layer_names


def convolution_features(
    backbone: Backbone, pixels: Tensor, *, pool: str = "2x2", batch_size: int = 256, engine: str = "torch"
) -> dict[str, Tensor]:
    """Return what every convolution gives, pooled, in the order in which they run.

    Parameters
    ----------
    backbone : Backbone
    pixels : Tensor (n_samples, 3, input_size, input_size) of uint8
    pool : {"2x2", "average"}
        The averages of the four quarters of a map, or the average of all of it.
    batch_size : int
    engine : {"torch", "openvino", "auto"}
        As in `features.Source`.

    Returns
    -------
    dict of str to Tensor (n_samples, n_features), float32
        By layer: ``conv01``, ``conv02``, ...; of the output of the convolution itself, before batch norm and ReLU.

    Raises
    ------
    InputError
        If the pixels are not those of the backbone's size, or the pooling or the engine is unknown.
    """
    names = [name for name in layer_names(backbone, "convolutions") if name != PENULTIMATE]
    return _features(backbone, pixels, names, "conv", pool=pool, batch_size=batch_size, engine=engine)


def block_features(
    backbone: Backbone, pixels: Tensor, *, pool: str = "2x2", batch_size: int = 256, engine: str = "torch"
) -> dict[str, Tensor]:
    """Return what every block gives, pooled: ``block01``, ``block02``, ...; the first of a ViT is that of the patches.

    Parameters, errors and the rest are those of `convolution_features`.
    """
    names = [name for name in layer_names(backbone, "blocks") if name != PENULTIMATE]
    return _features(backbone, pixels, names, "block", pool=pool, batch_size=batch_size, engine=engine)


def _features(
    backbone: Backbone, pixels: Tensor, names: Sequence[str], word: str, *, pool: str, batch_size: int, engine: str
) -> dict[str, Tensor]:
    expected = (3, backbone.input_size, backbone.input_size)
    if pixels.dtype != torch.uint8 or pixels.shape[1:] != expected or not len(pixels):
        raise InputError(
            f"expected uint8 pixels of shape (n_samples, {', '.join(map(str, expected))}), got {pixels.dtype} of shape "
            f"{tuple(pixels.shape)}; read the images with the size of the network"
        )
    threads = torch.get_num_threads()
    run = build_engine(backbone, names, device=pixels.device, engine=engine, threads=threads, pool=pool)
    batches = [run(batch) for batch in pixels.split(batch_size)]
    return {f"{word}{i:02d}": torch.cat(rows) for i, rows in enumerate(zip(*batches, strict=True), start=1)}
