from . import answers as answers
from . import claims as claims
from . import figures as figures
from . import names as names
from . import tables as tables
from .sweep_spectra import FRACTIONS as FRACTIONS
from .sweep_spectra import spectra as spectra
