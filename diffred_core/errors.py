"""The one exception that bad input raises, and the near names that its sentence offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input, said in one sentence: what was expected, what came, what to do.

    The command line prints the sentence and exits with code 2.
    """


def near_names(name: str, known: Iterable[str], *, n: int = 3) -> str:
    """Return ``"; did you mean 'a' or 'b'?"`` for the known names nearest to `name`, else an empty string."""
    close = get_close_matches(name, list(known), n=n, cutoff=0.5)
    return f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else ""


class MissingLibrary(InputError, ImportError):
    """A library of an extra that is not installed."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Say which `extra` of diffred-core brings a library that the imports within do not find.

    Raises
    ------
    MissingLibrary
        In place of the ``ModuleNotFoundError`` of a library; one of this package stays what it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if isinstance(error, MissingLibrary) or error.name is None or error.name.partition(".")[0] == "diffred_core":
            raise
        raise MissingLibrary(
            f"expected the library {error.name!r}, which is not installed; "
            f"pip install 'diffred-core[{extra}]' brings it"
        ) from error
