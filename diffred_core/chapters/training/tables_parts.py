"""Tables of the pages on what a network can do without."""

from __future__ import annotations

from diffred_core.chapters.training import names_parts as of
from diffred_core.chapters.training.tables import numbers

lottery_ticket = numbers(
    {of.EARLY_ACCURACY: "accuracy, early", of.FINAL_ACCURACY: "accuracy, last step"},
    "Test accuracy of pruned networks, at three shares of their weights.",
)
geometric_complexity = numbers(
    {
        of.COMPLEXITY: "geometric complexity",
        of.NETWORK_ACCURACY: "test accuracy",
        of.LOG_RATIO: "log ratio, greatest over least",
    },
    "Complexity on test images, per unit of a full pixel, by strength.",
)
gradmax = numbers(
    {
        of.OF_BOUND: "squared gradient norm over the bound",
        of.BOUND_ERROR: "relative distance from the bound",
        of.LOSS_SAVED: "loss saved by GradMax, of the first",
    },
    "Gradient of the new units, and the loss that GradMax saves over random outgoing weights.",
)
trainability = numbers(
    {of.ABOVE_CHANCE: "accuracy above chance", of.THEORY_ERROR: "mean |log| of entropy over theory"},
    "Accuracy after training and distance of the entropies before it from theory, by first weights and depth.",
)
superposition = numbers(
    {
        of.BEYOND: "features represented less dimensions",
        of.OVER_ALONE: "loss over that without superposition",
        of.FROM_POLYTOPE: "greatest distance from m/n",
    },
    "Toy models at the greatest and the least density.",
)
low_dimensional = numbers(
    {
        of.MOVED: "greatest change of a transverse weight",
        of.DECAY_ERROR: "distance of their norm from the closed form",
        of.TRANSVERSE_SHARE: "transverse share of the slopes",
        of.FLIPS: "share of rows that flip",
        of.SUBSPACE_ACCURACY: "test accuracy in the subspace",
    },
    "Networks off the subspace of their images, by how they were trained.",
)
