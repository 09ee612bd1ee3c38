"""Draw the figure of the front page from the tables of this checkout: ``python -m diffred_core.staging PATH.png``."""

from __future__ import annotations

import sys

from diffred_core import files, results
from diffred_core.chapters.random_subsets import across
from diffred_core.errors import InputError
from diffred_core.staging._figures import draw
from diffred_core.staging._front import FINDING

if __name__ == "__main__":
    try:
        if len(sys.argv) != 2:
            raise InputError("expected one path, of the figure to write; for instance book/_static/finding.png")
        kept = across.kept()
        files.write_bytes(sys.argv[1], draw(kept, kept.summary(results.read_all(analysis=FINDING)))[0])
    except InputError as error:
        print(f"diffred: {error}", file=sys.stderr)
        sys.exit(2)
