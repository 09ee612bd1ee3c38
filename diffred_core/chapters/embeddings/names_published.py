"""Methods, metrics and encoders of the published scores, spelled once."""

KEPT, BYTES, DIFFERENCE = "score_kept", "bytes", "score_kept_difference"
DIMENSIONS, PCA, PQ, LSH = "first", "pca", "product_quantisation", "lsh"
FULL, EIGHT_BITS, FOUR_BITS, TWO_BITS = "32_full", "8_float8m3", "4_percentile", "2_percentile"
HALF, AT_ZERO, AT_MEDIAN = "16_half", "1_binary_zero", "1_binary_median"
FOR_PREFIXES = {"E5Multilingual": False, "JinaV3": True, "Snowflake": False, "SnowflakeV2": True}
"""Whether an encoder of CoRECT was trained so that its first dimensions serve alone, by the cards of the models."""
ENCODERS = {
    "E5Multilingual": "multilingual-e5-large-instruct",
    "JinaV3": "Jina v3, trained for prefixes",
    "Snowflake": "arctic-embed-m",
    "SnowflakeV2": "arctic-embed-m v2, trained for prefixes",
}
THRESHOLD_POINTS = 5.0  # of the full score, beyond which a threshold is said to decide
