"""Importances, masks and classifiers of the chapter: each name spelled once, with words for readers."""

from __future__ import annotations

from typing import Any

from diffred_core.chapters.random_subsets.names import HEADLINE
from diffred_core.chapters.random_subsets.names import LOGISTIC as LOGISTIC
from diffred_core.chapters.random_subsets.names import RANDOM as RANDOM
from diffred_core.chapters.random_subsets.names import RIDGE as RIDGE

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
SHRUNK = "shrunk"  # label of the estimates with steadier spreads

EUCLIDEAN, COSINE = "centroid_euclidean", "centroid_cosine"
CENTROIDS = {EUCLIDEAN: "Euclidean", COSINE: "cosine"}
METRICS = {EUCLIDEAN: "euclidean", COSINE: "cosine"}  # of `few_shot.centroid_curve`
OF_VIEWS = {centroid: f"{centroid}_views" for centroid in CENTROIDS}  # the same, prototypes the mean of views as well
HEADS = (RIDGE, LOGISTIC)
BRIDGE_HEAD = HEADLINE  # of the episodes that stand beside part I, which it shows by its headline probe
UPPER_FRACTION = 0.05  # of the published 1 to 5 % of the dimensions

CONTROL_MASK, HARD = "inverse_spread_floored", "hard"
MASKS = {
    "importance": "R",
    "sqrt": "square root of R",
    "scaled": "R / spread",
    "theory": "theory",
    "theory_debiased": "theory, debiased",
    "mmc": "R / magnitude",
    "mmc_clamped": "R / magnitude, clamped",
    HARD: "top 5 % (hard)",
    CONTROL_MASK: "1 / spread (control)",
}
SPREAD_FLOOR = 1.0  # of the median spread, in the control: without one the dimensions that hardly vary drown all others
CLAMP = 50.0  # of the released code (Luo et al. 2022, appendix F)
VARIANTS: dict[str, dict[str, Any]] = {  # options of `soft_mask.mask`, where the name of a mask is not that of its kind
    "theory_debiased": {"kind": "theory", "debiased": True},
    "mmc_clamped": {"kind": "mmc", "clamp": CLAMP},
    CONTROL_MASK: {"kind": "inverse_spread", "floor": SPREAD_FLOOR},
}
RECONSTRUCTIONS = tuple(kind for kind in MASKS if kind not in (HARD, CONTROL_MASK))  # of the published soft mask
RELEASED = ("mmc", "mmc_clamped")  # of which the group's code is the oracle
ALONG = ("importance", "scaled", CONTROL_MASK)  # masks that are followed over shots, ways and crops
NO_MASK, TRANSFORM = "no_mask", "simple_transform"

THIRDS = ("low", "middle", "high")
NINTHS = tuple(f"spread {spread}, distance {distance}" for spread in THIRDS for distance in THIRDS)
CONFOUNDERS = "spread high, distance low"  # as the abstract describes them (Luo et al. 2023)

SIMULATED, EXACT, APPROXIMATED = "simulated", "exact", "approximated"  # recipes of the error in the theory
ERRORS = {SIMULATED: "simulated", EXACT: "by (5)", APPROXIMATED: "by (6)"}


def mask_method(kind: str) -> str:
    """Return the method of a mask of `MASKS`; whose importance it has stands in the column label."""
    return f"mask_{kind}"


MASK_BASES = {BY_VIEWS: "views", BY_SHOTS: "shots alone", ORACLE: "oracle"}  # labels of masks
MASK_METHODS = {mask_method(kind): words for kind, words in MASKS.items()} | {TRANSFORM: "simple transformation"}


def plural(n: float, word: str) -> str:
    """Return a number of things in words."""
    return f"{n:g} {word}" if n == 1 else f"{n:g} {word}s"
