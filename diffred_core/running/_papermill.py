"""papermill and nbformat, imported without the grammar of web addresses that `jsonschema` would compile.

The import of `rfc3987_syntax` takes 1.3 s, two thirds of the start of a run, for a format check that no notebook
schema has; `jsonschema` goes without it when it is absent, and so it is absent while these two are imported.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def absent(module: str) -> Iterator[None]:
    """Make ``import module`` raise ImportError within the block, unless it is imported already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None
    try:
        yield
    finally:
        del sys.modules[module]


with absent("rfc3987_syntax"):
    import nbformat as nbformat
    import papermill as papermill

# its own reading of the parameters cell misses `X | None`; ours has refused unknown names before it is called
logging.getLogger("papermill").setLevel(logging.ERROR)
