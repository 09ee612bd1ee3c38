"""What the tables of the chapter call their factors, methods and metrics, spelled once."""

from diffred_core.chapters.random_subsets.names import FIRST as FIRST
from diffred_core.chapters.random_subsets.names import FRACTION as FRACTION  # for similarity and inequality
from diffred_core.chapters.random_subsets.names import GINI as GINI
from diffred_core.chapters.random_subsets.names import GINI_RISE as GINI_RISE
from diffred_core.chapters.random_subsets.names import MEAN_ACCURACY as MEAN_ACCURACY
from diffred_core.chapters.random_subsets.names import NEAREST as NEAREST
from diffred_core.chapters.random_subsets.names import RANDOM as RANDOM

EXPERIMENT = "what_governs"
WIDTH, UPSTREAM, ARCHITECTURE = "width", "upstream data", "architecture"  # factors, in the column recipe

# methods beside random, which is of one network: of one less another (column label); the greatest such difference
# between any two; and the slope over networks against the logarithm of their width
DIFFERENCE, SPREAD, GROWTH = "paired_difference", "greatest_difference", "growth_with_width"
ALL_LEVELS = "all levels"  # in the column model, of what is said of all networks of a factor together

NEEDED, SHARE = "log2_features_needed", "share_needed"  # for a share delta of the accuracy, between tested sizes
KEPT = "accuracy_kept"  # accuracy as a share of the whole layer's
EXCESS = "cka_above_null"  # of a random part with the layer, less that of uncorrelated dimensions

DELTAS: tuple[float, ...] = (0.9, 0.95)
SHARES: tuple[float, ...] = (0.05, 0.1, 0.2, 0.5)  # at which accuracies are compared at an equal share
NUMBERS: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512)  # and at an equal number of dimensions
MARGIN = 0.05  # in diffused redundancy: what two networks may differ by and still be called alike
SAME_NUMBER = 0.25  # in growth: a layer of twice the width needs at most 2 ** 0.25 = 1.19 times as many dimensions
