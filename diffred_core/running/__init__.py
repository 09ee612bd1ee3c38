"""Running notebooks and grids of them: parameters, records, the runner, the grid.

Its public names are those of ``__init__.pyi``; each is imported when it is first used: most commands need few of them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
