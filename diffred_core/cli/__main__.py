"""``python -m diffred_core.cli`` is ``diffred``."""

from __future__ import annotations

from diffred_core.cli import main

main()
