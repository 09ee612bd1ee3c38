"""What the tables of the chapter call their methods, probes and metrics, spelled once."""

RANDOM, FULL, PCA = "random", "full", "pca"  # methods of subset_probes; all of them: `comparators.COMPARATORS`
RIDGE, LOGISTIC, SGD = "ridge", "logistic", "sgd"
HEADLINE = (
    LOGISTIC  # what curves, verdicts and redundancies are of, where nothing else is said: the published objective
)

# methods of subset_similarity: a subset with the layer, two subsets, and what either would be without redundancy
WHOLE, PAIR, WHOLE_NULL, PAIR_NULL, PERMUTED = (
    *("subset_whole", "subset_subset", "diagonal_null", "diagonal_null_pairs", "permutation_null"),
)
CKA, BIASED, NULL = "cka_debiased", "cka_biased", "cka"

ACCURACY, CLASS_ACCURACY, GAP, AT_EDGE, GINI = "accuracy", "class_accuracy", "accuracy_gap", "l2_at_edge", "gini"
FIRST, NEAREST = "diffused_redundancy_first", "diffused_redundancy_nearest"
ESTIMATORS = {FIRST: "first", NEAREST: "nearest"}  # of `redundancy.diffused_redundancy`, by metric

FRACTION = 0.2  # at which the paper states its finding
SIMILARITY_FRACTIONS: tuple[float, ...] = (0.1, 0.2, 0.5)  # at which similarity is given an interval, and summed up
REPORTED_DELTAS: tuple[float, ...] = (0.8, 0.9, 0.95, 0.99)  # read off most often; the published curve holds 0.8 only
