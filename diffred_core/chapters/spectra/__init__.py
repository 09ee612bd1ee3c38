"""V. Labels, classes and spectra: what else the same layer says, and whether it explains redundancy.

Its public names are those of ``__init__.pyi``; each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
