"""Tables of the pages on what is learned first."""

from __future__ import annotations

from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.tables import numbers

pc_bias = numbers(
    {
        of.HALF_TIME_ORDER: "Spearman of half-time with falling eigenvalue",
        of.DEVIATION: "greatest deviation from the closed form",
        of.SLOWDOWN: "steps of shuffled labels over those of true ones",
    },
    "Order of half-times and distance from the closed form, by network.",
)
silent_alignment = numbers(
    {
        of.SHARE_BEFORE: "share of the rise of the alignment before the loss has fallen by a tenth",
        of.ALIGNMENT_END: "last alignment",
        of.KERNEL_REGRESSION: "distance from kernel regression with the last kernel",
    },
    "What is silent, and where it ends, by setting.",
)
lazy_hasty = numbers(
    {
        of.MODEL_GAP: "strong less weak mode at an equal fit",
        of.GROUP_GAP: "true less wrong labels at equal accuracies",
        of.MOVED: "distance of the weights from the first, as a share of them",
    },
    "Gaps at an equal fit: of the model, and of the network.",
)
linear_teachers = numbers(
    {
        of.RISK_BEFORE: "risk before fine-tuning",
        of.RISK_RATIO: "risk after over risk before",
        of.FORMULA_ERROR: "greatest relative difference from the formula",
        of.TELLS: "rank correlation with the risk over pairs",
    },
    "Starts that differ from the target by as much, in different directions.",
)
gated_networks = numbers(
    {
        of.REDUCTION_ERROR: "greatest deviation of a mode from the reduction",
        of.ROUTE_ERROR_FEWEST: "error with the fewest trained routes",
        of.ROUTE_ERROR_END: "error with the most trained routes",
    },
    "Errors as shares of that of no map.",
)
spectral_bias = numbers(
    {
        of.FREQUENCY_ORDER: "Spearman of frequency and step",
        of.DEVIATION: "greatest deviation from the closed form, share of the amplitude",
    },
    "Order in which frequencies reach 80 % of their amplitude, and distance from the closed form.",
)
