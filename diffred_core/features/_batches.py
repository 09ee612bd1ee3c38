"""Images of a dataset as uint8 batches, decoded ahead by a few threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from diffred_core.backbones import Backbone
from diffred_core.datasets import Dataset

AHEAD = 3  # batches being decoded while one is computed


def pixel_batches(
    dataset: Dataset, backbone: Backbone, batches: Sequence[Sequence[int]], *, threads: int
) -> Iterator[Tensor]:
    """Yield one uint8 tensor of shape (n, 3, input_size, input_size) for every list of sample indices.

    Pillow decodes and resizes without the interpreter's lock, so threads keep up with the network.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: deque = deque()
        try:
            for batch in batches:
                waiting.append([pool.submit(_pixels, dataset, backbone, i) for i in batch])
                if len(waiting) > AHEAD:
                    yield _stacked(waiting.popleft())
            while waiting:
                yield _stacked(waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pixels(dataset: Dataset, backbone: Backbone, i: int) -> Tensor:
    return backbone.transform(dataset.image(i))


def _stacked(futures: list) -> Tensor:
    return torch.stack([future.result() for future in futures])
