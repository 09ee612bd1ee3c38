"""The staged book: hand-written pages, executed notebooks and generated fragments in one folder, ready to build.

What it hands on stands in ``__init__.pyi`` and is imported
when it is first used: the state of the runs needs no pandas.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
