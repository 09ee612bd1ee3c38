"""Images decoded in threads, ahead of the network, and stacked into batches of bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor

from diffred_core.backbones import CentreCrop, Transform, to_tensor
from diffred_core.datasets import Dataset

AHEAD = 3  # batches being decoded while one is computed
CHUNK = 8  # images that one thread takes at a time


def pixel_batches(
    dataset: Dataset,
    transform: Transform,
    batches: Iterable[Sequence[int]],
    *,
    threads: int,
    small: bool = False,
    pinned: bool = False,
) -> Generator[Tensor]:
    """Yield one uint8 tensor of shape (n, 3, input_size, input_size) for every list of sample indices.

    Pillow decodes and resizes without the interpreter's lock, so threads keep up with the network. The lists are asked
    for as they are needed.

    Parameters
    ----------
    small : bool
        Leave images below the size of the input as they are, where all of a batch have one size: a GPU enlarges them
        in less time than their pixels would take to get there.
    pinned : bool
        Put batches into memory that a GPU copies from by itself.
    """
    enlarger = transform if small and isinstance(transform, CentreCrop) else None
    read = partial(_pixels, dataset, transform, enlarger.enlarges_below if enlarger else 0)
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        decoding: deque[list[Future[list[Tensor]]]] = deque()
        try:
            for batch in batches:
                decoding.append([pool.submit(read, batch[i : i + CHUNK]) for i in range(0, len(batch), CHUNK)])
                if len(decoding) > AHEAD:
                    yield _stacked(decoding.popleft(), enlarger, pinned=pinned)
            while decoding:
                yield _stacked(decoding.popleft(), enlarger, pinned=pinned)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pixels(dataset: Dataset, transform: Callable[..., Tensor], below: int, chunk: Sequence[int]) -> list[Tensor]:
    images = [dataset.image(i, grey=True) for i in chunk]
    return [to_tensor(image) if max(image.size) < below else transform(image) for image in images]


def _stacked(futures: list[Future[list[Tensor]]], enlarger: CentreCrop | None, *, pinned: bool) -> Tensor:
    images = [pixels for future in futures for pixels in future.result()]
    if enlarger and len({pixels.shape for pixels in images}) > 1:
        size = (3, enlarger.size, enlarger.size)
        images = [pixels if pixels.shape == size else enlarger.of_batch(pixels[None])[0] for pixels in images]
    stacked = torch.empty((len(images), *images[0].shape), dtype=torch.uint8, pin_memory=pinned)
    return torch.stack(images, out=stacked)
