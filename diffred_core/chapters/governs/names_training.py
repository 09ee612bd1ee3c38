"""What the tables of networks trained here call their metrics and tasks, spelled once; objectives name themselves."""

from diffred_core.chapters.random_subsets.names import ACCURACY as ACCURACY
from diffred_core.chapters.random_subsets.names import FIRST as FIRST
from diffred_core.chapters.random_subsets.names import FIRST_K as FIRST_K
from diffred_core.chapters.random_subsets.names import (
    FRACTION as FRACTION,  # for similarity, inequality and what is kept
)
from diffred_core.chapters.random_subsets.names import FULL as FULL
from diffred_core.chapters.random_subsets.names import GAIN as GAIN
from diffred_core.chapters.random_subsets.names import GINI as GINI
from diffred_core.chapters.random_subsets.names import GINI_RISE as GINI_RISE
from diffred_core.chapters.random_subsets.names import NEAREST as NEAREST
from diffred_core.chapters.random_subsets.names import PREFIX_P as PREFIX_P
from diffred_core.chapters.random_subsets.names import RANDOM as RANDOM

EXPERIMENT = "loss_and_regulariser"
REFERENCE = "cross_entropy"  # what every other objective is held against, in pairs of seeds
OWN, OTHER = "own task", "other tasks"  # column label: the task of the training, and those that it was not trained on

EXCESS, KEPT = "cka_above_null", "accuracy_kept"
SEPARATION, NC1, RANK, RANKME = "class_separation", "nc1", "numerical_rank", "rankme"
CLASSIFIER, ROBUST, LOSS = "classifier_accuracy", "robust_accuracy", "training_loss"

DELTAS: tuple[float, ...] = (0.9, 0.95)
DELTA = DELTAS[0]  # of claims and figures
MARGIN = 0.05  # in diffused redundancy: what two objectives may differ by and still be called alike
_WORDS = {REFERENCE: "plain cross-entropy", "decov": "DeCov", "koleo": "KoLeo", "matryoshka": "Matryoshka heads"}


def objective_words(name: str) -> str:
    """Return an objective as people read it: ``dropout:0.5`` is ``dropout 0.5``, a sum is named part by part."""
    parts = (part.partition(":")[::2] for part in name.split("+"))
    return " + ".join(f"{_WORDS.get(kind, kind.replace('_', ' '))} {value}".rstrip() for kind, value in parts)


# steps of 1/32 and less, so that diffused redundancy of a layer of 64 dimensions is known to two of them
FRACTIONS: tuple[float, ...] = (
    *(1 / 64, 1 / 32, 3 / 64, 1 / 16, 3 / 32, 1 / 8, 5 / 32, 3 / 16, 0.2, 1 / 4),
    *(5 / 16, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8),
)
