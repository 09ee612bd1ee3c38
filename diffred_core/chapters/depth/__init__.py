"""IV. Depth: every layer in and out of distribution, and networks trained here (Harun et al. 2024).

Its public names are those of ``__init__.pyi``; each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
