from ._book import stage_book as stage_book
from ._build import BuildError as BuildError
from ._build import build_book as build_book
from ._pages import is_page_of as is_page_of
from ._pages import lost_pages as lost_pages
from ._runs import CellRun as CellRun
from ._runs import GridCell as GridCell
from ._runs import find_runs as find_runs
