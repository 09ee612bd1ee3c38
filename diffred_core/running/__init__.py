"""Running notebooks and grids of them: parameters, records, the runner, the grid.

What it hands on stands in ``__init__.pyi`` and is imported when it is first used: most commands need little of it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
