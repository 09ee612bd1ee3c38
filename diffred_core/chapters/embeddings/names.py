"""What the tables of the chapter call their methods, number formats and metrics, spelled once."""

FULL, PRODUCT, CHANCE = "full", "product_quantisation", "chance"  # methods beside those of `compression.KINDS`
WHOLE = (FULL, PRODUCT)  # which keep something of all dimensions
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
    PRODUCT: "product quantisation",
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
NOT_TESTED = "float8, codebooks after a rotation, widths between the tested ones, and other vectors than these"
_CODES = "pq_"


def product_format(n_codes: int) -> str:
    """Return the number format of product quantisation in `n_codes` bytes."""
    return f"{_CODES}{n_codes}"


def n_codes_of(number_format: str) -> int:
    """Return the bytes of a format of `product_format`."""
    return int(number_format.removeprefix(_CODES))


def format_words(number_format: str) -> str:
    """Return a number format in words."""
    if number_format.startswith(_CODES):
        return f"{n_codes_of(number_format)} codes of 8 bits"
    return FORMAT_WORDS.get(number_format, number_format)


def setting_words(method: str, n_selected: int, number_format: str, *, n_features: int | None = None) -> str:
    """Return a way to keep vectors in words, with the width of the full ones where it is given."""
    words = METHOD_WORDS.get(method, method)
    if method not in WHOLE:
        words += f" {n_selected}" if n_features is None else f", {n_selected} of {n_features}"
    return f"{words}, {format_words(number_format)}"
