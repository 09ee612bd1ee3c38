"""What the tables of the chapter call their methods, number formats and metrics, spelled once."""

FULL, CHANCE = "full", "chance"  # methods beside those of `compression.KINDS`
RANDOM, FIRST = "random_subset", "first"
FLOAT32 = "float32"
RIDGE, KNN = "ridge", "knn"
CHOICE, TEST, DRAWS = "choice", "test", "draws"  # rows on which the decision is made, rows that chose nothing

RECALL = {"cosine": "recall@10_cosine", "dot": "recall@10_dot"}
RESCORED = {"cosine": "recall@10_cosine_rescored", "dot": "recall@10_dot_rescored"}
SPEARMAN, CKA, FLOOR = "spearman", "cka_debiased", "cka_floor"
ACCURACY, WORST, V_MEASURE, CLASS_CHANGE = "accuracy", "worst_class_accuracy", "v_measure", "class_change"
NDCG, NDCG_RESCORED = "ndcg@10", "ndcg@10_rescored"
RECALL_100, RECALL_100_RESCORED = "recall@100", "recall@100_rescored"
BYTES, SEARCH = "bytes", "search_seconds"  # of a vector; of 1,000 queries
KEPT = "quality_kept"  # share of what the full vectors reach, in the measure that the column label names
ROWS, NOTE = "rows", "note"  # how many rows have a part, which the label names; a sentence, which is the label
PREFIX = "draws_at_least_as_good"  # share of random subsets that reach what the first k dimensions reach
EFFECT, STABILITY, DEGRADING = "dimension_effect", "effect_stability", "degrading_effect"

METHOD_WORDS = {
    FULL: "all dimensions",
    RANDOM: "random subset",
    FIRST: "first k",
    "top_variance": "top variance",
    "importance": "importance",
    "pca": "PCA",
    "pca_uncentred": "PCA without centring",
    "pca_whitened": "PCA, whitened",
    "random_projection": "random projection",
    CHANCE: "chance",
}
FORMAT_WORDS = {
    FLOAT32: "float32",
    "float16": "float16",
    "int8": "int8",
    "binary_zero": "binary at zero",
    "binary_median": "binary at the median",
}
METRIC_WORDS = {
    RECALL["cosine"]: "recall@10 of the nearest neighbours by cosine",
    RECALL["dot"]: "recall@10 of the nearest neighbours by inner product",
    RESCORED["cosine"]: "recall@10 after rescoring (cosine)",
    RESCORED["dot"]: "recall@10 after rescoring (inner product)",
    ACCURACY: "accuracy",
    NDCG: "nDCG@10",
    NDCG_RESCORED: "nDCG@10 after rescoring",
    RECALL_100: "recall@100",
    RECALL_100_RESCORED: "recall@100 after rescoring",
    SPEARMAN: "rank correlation of similarities",
    CKA: "debiased CKA",
    V_MEASURE: "V-measure of k-means",
    WORST: "accuracy of the worst class",
}
NOT_TESTED = (
    "float8, product quantisation, quantisation learned from data, widths between the tested ones, and other vectors "
    "than these"
)
