"""The one exception that bad input raises, and the near names that its sentence offers."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input, said in one sentence: what was expected, what came, what to do.

    The command line prints the sentence and exits with code 2.
    """


def near_names(name: str, known: Iterable[str], *, n: int = 3) -> str:
    """Return ``"; did you mean 'a' or 'b'?"`` for the known names nearest to `name`, else an empty string."""
    close = get_close_matches(name, list(known), n=n, cutoff=0.5)
    return f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
