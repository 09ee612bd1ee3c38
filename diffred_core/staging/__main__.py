"""Draw the figure of the front page from the tables of this checkout: ``python -m diffred_core.staging PATH.png``."""

from __future__ import annotations

import sys
from pathlib import Path

from diffred_core import results
from diffred_core.chapters.random_subsets import across
from diffred_core.staging._figures import FINDING, draw

if __name__ == "__main__":
    kept = across.kept()
    Path(sys.argv[1]).write_bytes(draw(kept, kept.summary(results.read_all(analysis=FINDING)))[0])
