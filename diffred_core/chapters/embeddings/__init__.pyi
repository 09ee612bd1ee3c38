from . import answers as answers
from . import claims_published as claims_published
from . import figures_published as figures_published
from . import tables_published as tables_published
from .published import published_scores as published_scores
