"""How many images at once: what fits into memory, and what is worth it."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.features._pipeline import Engine, Rows, in_order
from diffred_core.features._store import SHARD_SIZE

SIZES = (32, 64, 128, 256, 512)  # what `found_size` tries; each divides a shard of 512
GAIN = 1.05  # a batch of twice the images must bring so many more a second
# Not every library of a GPU has an exception of its own for memory, and the CPU's allocator has none.
REFUSALS = re.compile(r"out of memory|ALLOC_FAILED|can't allocate memory|not enough memory")


class Fitting:
    """A network run on a batch in pieces that fit: where memory runs out, on half as many images from then on."""

    def __init__(self, run: Callable[[Tensor], Rows], *, name: str, free: Callable[[], None] = lambda: None) -> None:
        self.run, self.name, self.free = run, name, free
        self.most = SHARD_SIZE

    def __call__(self, pixels: Tensor) -> Rows:
        """Return the rows of all `pixels`, one piece after the other.

        Raises
        ------
        InputError
            If memory does not hold one image; it says what was asked for.
        """
        pieces: list[Rows] = []
        start = 0
        while start < len(pixels):
            piece = pixels[start : start + self.most]
            rows, refusal = self._tried(piece)
            if rows is None:
                self._halve(len(piece), refusal)
                continue
            pieces.append(rows)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else tuple(torch.cat(parts) for parts in zip(*pieces, strict=True))

    def _tried(self, piece: Tensor) -> tuple[Rows | None, str]:
        # The exception holds the frames and so the tensors that filled the memory: it ends here, its text goes on.
        try:
            return self.run(piece), ""
        except (RuntimeError, MemoryError) as error:
            if not is_refusal(error):
                raise
            return None, " ".join(str(error).split())

    def _halve(self, n_images: int, refusal: str) -> None:
        self.free()
        if n_images == 1:
            raise InputError(
                f"expected memory for one image at a time in {self.name}, got {refusal.rstrip('.')}; take a smaller "
                "image_size, precision bf16 or fewer layers, or device='cpu'"
            )
        self.most = n_images // 2


def is_refusal(error: BaseException) -> bool:
    """Return whether an error says that memory has run out, of whatever library and device it is."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or bool(REFUSALS.search(str(error)))


def found_size(engine: Engine, *, image_size: int, pinned: bool = False) -> int:
    """Return how many images at once are worth it: doubled as long as they fit and images a second grow.

    As many batches of every size run as are under way at a time, twice; the second time counts.

    Parameters
    ----------
    image_size : int
        Pixels a side.
    pinned : bool
        Whether images come from pinned memory, as in `pixel_batches`.
    """
    best, rate = SIZES[0], 0.0
    for n in SIZES:
        pixels = torch.zeros(n, 3, image_size, image_size, dtype=torch.uint8, pin_memory=pinned)
        batches = [pixels] * (1 + engine.ahead)
        for _ in range(2):
            start = time.perf_counter()
            deque(in_order(lambda: engine, batches), maxlen=0)
        reached = len(batches) * n / (time.perf_counter() - start)
        if engine.most() < n:
            return engine.most()
        if reached < GAIN * rate:
            break
        best, rate = n, reached
    return best
