from . import answers_training as answers_training
from . import claims_training as claims_training
from . import figures_training as figures_training
from . import names_training as names_training
from . import tables_training as tables_training
from .training_sweep import trained as trained
