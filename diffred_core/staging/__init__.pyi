from ._book import stage_book as stage_book
from ._build import BuildError as BuildError
from ._build import build_book as build_book
from ._runs import Cell as Cell
from ._runs import Run as Run
from ._runs import find_runs as find_runs
