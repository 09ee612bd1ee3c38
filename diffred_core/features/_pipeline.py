"""What an engine is: batches are begun, and waited for in order, so that the next is under way meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

from torch import Tensor

from diffred_core.features._store import SHARD_SIZE

Rows = tuple[Tensor, ...]  # one (n, width) a layer, float32, on the CPU
Pending = Callable[[], Rows]  # waits for a batch that was begun


@dataclass(frozen=True)
class Engine:
    """From uint8 pixels (n, 3, height, width) to the features of every layer.

    Attributes
    ----------
    begin : callable
        Starts a batch and returns what waits for its rows. Batches are waited for in the order in which they began.
    ahead : int
        How many batches are worth having under way while one is waited for.
    most : callable
        How many images at once have not been refused by memory.
    """

    begin: Callable[[Tensor], Pending]
    ahead: int = 0
    most: Callable[[], int] = lambda: SHARD_SIZE

    def __call__(self, pixels: Tensor) -> Rows:
        """Return the rows of one batch."""
        return self.begin(pixels)()


def in_order(engine: Callable[[], Engine], batches: Iterable[Tensor]) -> Generator[Rows]:
    """Yield the rows of every batch, those before a batch that fails too; `engine` is asked for at the first batch."""
    waiting: deque[Pending] = deque()
    failure: Exception | None = None
    try:
        for pixels in batches:
            waiting.append(engine().begin(pixels))
            if len(waiting) > engine().ahead:
                yield waiting.popleft()()
    except Exception as error:
        failure = error
    while waiting:
        yield waiting.popleft()()
    if failure is not None:
        raise failure
