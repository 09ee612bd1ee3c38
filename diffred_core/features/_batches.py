"""Images of a dataset as uint8 batches, decoded ahead by a few threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from diffred_core.backbones import Transform
from diffred_core.datasets import Dataset

AHEAD = 3  # batches being decoded while one is computed
CHUNK = 4  # images that one thread takes at a time


def pixel_batches(
    dataset: Dataset, transform: Transform, batches: Sequence[Sequence[int]], *, threads: int
) -> Generator[Tensor]:
    """Yield one uint8 tensor of shape (n, 3, input_size, input_size) for every list of sample indices.

    Pillow decodes and resizes without the interpreter's lock, so threads keep up with the network.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: deque[list[Future[list[Tensor]]]] = deque()
        try:
            for batch in batches:
                chunks = [batch[i : i + CHUNK] for i in range(0, len(batch), CHUNK)]
                waiting.append([pool.submit(_pixels, dataset, transform, chunk) for chunk in chunks])
                if len(waiting) > AHEAD:
                    yield _stacked(waiting.popleft())
            while waiting:
                yield _stacked(waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pixels(dataset: Dataset, transform: Transform, chunk: Sequence[int]) -> list[Tensor]:
    return [transform(dataset.image(i, grey=True)) for i in chunk]


def _stacked(futures: list[Future[list[Tensor]]]) -> Tensor:
    return torch.stack([pixels for future in futures for pixels in future.result()])
