"""Who ranks the dimensions, which masks there are, what classifies: spelled once, with words for readers."""

from __future__ import annotations

POOL, ALL, FULL_DATA = "pool", "all", "test"  # splits: rows that episodes are drawn from, and the test rows of part I

ORACLE = "oracle_all"  # the published oracle
WITHOUT_QUERIES = "oracle_no_query"  # the same without the images that it is tested on
DISJOINT = "oracle_disjoint"  # of other images of the same classes
ORACLES = (ORACLE, WITHOUT_QUERIES, DISJOINT)
BY_VIEWS, BY_SHOTS = "estimated_views", "estimated_shots"
ESTIMATES = (BY_VIEWS, BY_SHOTS)
RANDOM, BOTTOM, TOP_VARIANCE = "random", "bottom", "top_variance"
CONTROLS = (RANDOM, BOTTOM, TOP_VARIANCE)
IMPORTANCES = {
    ORACLE: "oracle",
    WITHOUT_QUERIES: "oracle without queries",
    DISJOINT: "oracle, other images",
    BY_VIEWS: "estimated, with views",
    BY_SHOTS: "estimated, shots alone",
}
SHRUNK = {f"{who}_shrunk": f"{IMPORTANCES[who]}, shrunk" for who in ESTIMATES}

EUCLIDEAN, COSINE = "centroid_euclidean", "centroid_cosine"
CENTROIDS = {EUCLIDEAN: "Euclidean", COSINE: "cosine"}
HEADS = RIDGE, LOGISTIC = "ridge", "logistic"

CONTROL_MASK = "inverse_spread"
MASKS = {
    "importance": "R",
    "sqrt": "square root of R",
    "scaled": "R / spread",
    "theory": "theory",
    "theory_debiased": "theory, debiased",
    "mmc": "R / magnitude",
    "hard": "top 5 % (hard)",
    CONTROL_MASK: "1 / spread (control)",
}
ALONG = ("importance", "scaled", CONTROL_MASK)  # masks that are followed over shots, ways and crops
NO_MASK, TRANSFORM = "no_mask", "simple_transform"
ORIGINAL, OF_VIEWS = "original", "views"  # what prototypes are the mean of
_SUFFIX = {BY_VIEWS: "views", BY_SHOTS: "shots", ORACLE: "oracle"}
_SUFFIX_WORDS = {BY_VIEWS: "views", BY_SHOTS: "shots alone", ORACLE: "oracle"}

LEVELS = ("low", "middle", "high")
CELLS = tuple(f"spread {spread}, distance {distance}" for spread in LEVELS for distance in LEVELS)
CONFOUNDERS = "spread high, distance low"  # as the abstract describes them (Luo et al. 2023)


def mask_method(kind: str, who: str) -> str:
    """Return the method of a mask of `MASKS` by the importance that somebody of `IMPORTANCES` knows."""
    return f"mask_{kind}_{_SUFFIX[who]}"


MASK_METHODS = {mask_method(k, who): f"{MASKS[k]}, {words}" for who, words in _SUFFIX_WORDS.items() for k in MASKS}
MASK_METHODS[TRANSFORM] = "simple transformation"


def plural(n: int, word: str) -> str:
    """Return a number of things in words."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
