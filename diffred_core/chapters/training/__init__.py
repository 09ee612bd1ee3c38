"""VI. Small networks, end to end: systems from papers on training, simulated in seconds, beside their closed forms.

Every system is one ``sweep_*.py``; frame, bridge to the layer, claims, figures and tables are shared. Its public names
are those of ``__init__.pyi``; each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
