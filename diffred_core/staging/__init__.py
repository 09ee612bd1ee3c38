"""The staged book: hand-written pages, executed notebooks and generated fragments in one folder, ready to build.

Its public names are those of ``__init__.pyi``; each is imported when it is first used: the state of the runs needs no
pandas.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
