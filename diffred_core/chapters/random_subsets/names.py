"""What the tables of the chapter call their methods, probes and metrics, spelled once."""

RANDOM, FULL, PCA, FIRST_K = (
    "random",
    "full",
    "pca",
    "first",
)  # methods of subset_probes; all of them: `comparators.COMPARATORS`
SHUFFLED = "shuffled"  # of `measure`: random parts of a layer whose dimensions were made independent
RIDGE, LOGISTIC, SGD = "ridge", "logistic", "sgd"
HEADLINE = LOGISTIC  # the probe of claims and verdicts, and of every figure and table that shows one

# methods of subset_similarity: a subset with the layer, two subsets, and what either would be without redundancy
WHOLE, PAIR, WHOLE_NULL, PAIR_NULL, PERMUTED = (
    *("subset_whole", "subset_subset", "diagonal_null", "diagonal_null_pairs", "permutation_null"),
)
CKA, BIASED, NULL = "cka_debiased", "cka_biased", "cka"

ACCURACY, CLASS_ACCURACY, AT_EDGE = "accuracy", "class_accuracy", "l2_at_edge"
# with limits over draws and test rows: accuracy, its loss to the full layer, its gain over random subsets
MEAN_ACCURACY, GAP, GAIN = "mean_accuracy", "accuracy_gap", "gain_over_random"
# over classes: what equally accurate ones would show by chance, and the rise beyond that over the full layer
GINI, VARIATION, GINI_NULL, GINI_RISE = "gini", "coefficient_of_variation", "gini_null", "gini_rise"
# without features: always the commonest class, or a guess; and how many measured rows a class has
BASELINE, MAJORITY, CHANCE, CLASS_ROWS = "accuracy_without_features", "majority", "chance", "class_rows"
PREFIX_P = "prefix_p_value"  # of the first k dimensions among random k, if the order of the layer means nothing
STEPS = "steps"  # of a probe whose training has a length of its own
FEATURE_ERROR, LARGEST_ERROR, CHANGE = "feature_error", "feature_error_max", "accuracy_change"  # of the precision
FIRST, NEAREST = "diffused_redundancy_first", "diffused_redundancy_nearest"
ESTIMATORS = {FIRST: "first", NEAREST: "nearest"}  # of `redundancy.diffused_redundancy`, by metric

PUBLISHED, MEASURED = "published", "measured here"  # where a curve comes from
FRACTION = 0.2  # at which the paper states its finding
PCA_FRACTION = 0.1  # at which principal directions are held against random subsets, which they lead below one half
MARGIN = 0.05  # in accuracy: "20 % of the neurons within 5 % of the full layer" (Nanda et al. 2023, abstract)
SIMILARITY_FRACTIONS: tuple[float, ...] = (0.1, 0.2, 0.5)  # at which similarity is given an interval, and summed up
REPORTED_DELTAS: tuple[float, ...] = (0.8, 0.9, 0.95, 0.99)  # read off most often; the published curve holds 0.8 only
