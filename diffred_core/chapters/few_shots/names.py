"""Importances, masks and classifiers of the chapter: each name spelled once, with words for readers."""

from __future__ import annotations

from diffred_core.chapters.random_subsets.names import HEADLINE, LOGISTIC, RANDOM, RIDGE

POOL, ALL, FULL_DATA = "pool", "all", "test"  # splits: rows that episodes are drawn from, and the test rows of part I

ORACLE = "oracle_all"  # the published oracle
WITHOUT_QUERIES = "oracle_no_query"  # the same without the images that it is tested on
DISJOINT = "oracle_disjoint"  # of other images of the same classes
ORACLES = (ORACLE, WITHOUT_QUERIES, DISJOINT)
BY_VIEWS, BY_SHOTS = "estimated_views", "estimated_shots"
ESTIMATES = (BY_VIEWS, BY_SHOTS)
BOTTOM, TOP_VARIANCE = "bottom", "top_variance"
CONTROLS = (RANDOM, BOTTOM, TOP_VARIANCE)
IMPORTANCES = {
    ORACLE: "oracle",
    WITHOUT_QUERIES: "oracle without queries",
    DISJOINT: "oracle, other images",
    BY_VIEWS: "estimated, with views",
    BY_SHOTS: "estimated, shots alone",
}
SHRUNK = {who: f"{who}_shrunk" for who in ESTIMATES}  # the same with steadier spreads
RANKINGS = IMPORTANCES | {SHRUNK[who]: f"{IMPORTANCES[who]}, shrunk" for who in ESTIMATES}

EUCLIDEAN, COSINE = "centroid_euclidean", "centroid_cosine"
CENTROIDS = {EUCLIDEAN: "Euclidean", COSINE: "cosine"}
METRICS = {EUCLIDEAN: "euclidean", COSINE: "cosine"}  # of `few_shot.centroid_curve`
HEADS = (RIDGE, LOGISTIC)
BRIDGE_HEAD = HEADLINE  # of the episodes that stand beside part I, which it shows by its headline probe
UPPER_FRACTION = 0.05  # of the published 1 to 5 % of the dimensions

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
DEBIASED = {"theory_debiased": "theory"}  # masks whose importance is corrected, by the mask that they correct
ALONG = ("importance", "scaled", CONTROL_MASK)  # masks that are followed over shots, ways and crops
NO_MASK, TRANSFORM = "no_mask", "simple_transform"
ORIGINAL, OF_VIEWS = "original", "views"  # what prototypes are the mean of
_SUFFIX = {BY_VIEWS: "views", BY_SHOTS: "shots", ORACLE: "oracle"}
_SUFFIX_WORDS = {BY_VIEWS: "views", BY_SHOTS: "shots alone", ORACLE: "oracle"}

THIRDS = ("low", "middle", "high")
NINTHS = tuple(f"spread {spread}, distance {distance}" for spread in THIRDS for distance in THIRDS)
CONFOUNDERS = "spread high, distance low"  # as the abstract describes them (Luo et al. 2023)

SIMULATED, EXACT, APPROXIMATED = "simulated", "exact", "approximated"  # recipes of the error in the theory
ERRORS = {SIMULATED: "simulated", EXACT: "by (5)", APPROXIMATED: "by (6)"}


def mask_method(kind: str, who: str) -> str:
    """Return the method of a mask of `MASKS` by the importance that somebody of `IMPORTANCES` knows."""
    return f"mask_{kind}_{_SUFFIX[who]}"


MASK_METHODS = {mask_method(k, who): f"{MASKS[k]}, {words}" for who, words in _SUFFIX_WORDS.items() for k in MASKS}
MASK_METHODS[TRANSFORM] = "simple transformation"


def plural(n: int, word: str) -> str:
    """Return a number of things in words."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
