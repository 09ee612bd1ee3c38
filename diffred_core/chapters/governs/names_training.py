"""What the tables of networks trained here call their metrics and tasks, spelled once; objectives name themselves."""

from diffred_core.chapters.random_subsets import names as of_subsets

EXPERIMENT = "loss_and_regulariser"
REFERENCE = "cross_entropy"  # what every other objective is held against, in pairs of seeds
OWN, OTHER = "own task", "other tasks"  # column label: the task of the training, and those that it was not trained on

RANDOM, FULL, FIRST_K = of_subsets.RANDOM, of_subsets.FULL, of_subsets.FIRST_K  # methods
ACCURACY, FIRST, NEAREST = of_subsets.ACCURACY, of_subsets.FIRST, of_subsets.NEAREST
GINI, GINI_RISE, PREFIX_P, GAIN = of_subsets.GINI, of_subsets.GINI_RISE, of_subsets.PREFIX_P, of_subsets.GAIN
EXCESS, KEPT = "cka_above_null", "accuracy_kept"
SEPARATION, NC1, RANK, RANKME = "class_separation", "nc1", "numerical_rank", "rankme"
CLASSIFIER, ROBUST, LOSS = "classifier_accuracy", "robust_accuracy", "training_loss"

DELTAS: tuple[float, ...] = (0.9, 0.95)
DELTA = DELTAS[0]  # of claims and figures
FRACTION = of_subsets.FRACTION  # at which similarity, inequality and what is kept are compared
MARGIN = 0.05  # in diffused redundancy: what two objectives may differ by and still be called alike
# steps of 1/32 and less, so that diffused redundancy of a layer of 64 features is known to two of them
FRACTIONS: tuple[float, ...] = (
    *(1 / 64, 1 / 32, 3 / 64, 1 / 16, 3 / 32, 1 / 8, 5 / 32, 3 / 16, 0.2, 1 / 4),
    *(5 / 16, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8),
)
