"""The staged book: hand-written pages, executed notebooks and generated fragments in one folder, ready to build."""

from __future__ import annotations

from diffred_core.staging._book import stage_book as stage_book
from diffred_core.staging._build import build_book as build_book
from diffred_core.staging._runs import Cell as Cell
from diffred_core.staging._runs import Run as Run
from diffred_core.staging._runs import find_runs as find_runs
