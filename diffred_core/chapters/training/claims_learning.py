"""What the pages on the order of learning claim, each held against its table."""

from __future__ import annotations

from diffred_core.chapters.training import names
from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.claims import Statement, bridge

STATEMENTS: dict[str, tuple[Statement, ...]] = {
    "pc_bias": (
        Statement(
            key="exact",
            name="one layer follows the closed form",
            statement="the error of one layer along every direction is the closed form to rounding.",
            measured="greatest deviation of the error, as a share of the first one",
            of={"metric": of.DEVIATION, "recipe": of.ONE_LAYER},
            limit=1e-12,
            side="below",
        ),
        Statement(
            key="deep",
            name="wide linear layers come near it",
            statement="the wider linear layers are, the nearer they come to the closed form, that of infinite width.",
            measured="greatest deviation of the narrow network less that of the wide one, eight times as wide",
            of={"metric": of.DEVIATION, "recipe": of.NARROW},
            less={"recipe": of.WIDE},
        ),
        Statement(
            key="order",
            name="leading directions first, linear",
            statement="in a deep linear network half-times are in the order of the eigenvalues.",
            measured="Spearman correlation of half-time with falling eigenvalue",
            of={"metric": of.HALF_TIME_ORDER, "recipe": of.WIDE},
            limit=of.ORDERED,
        ),
        Statement(
            key="relu",
            name="leading directions first, ReLU",
            statement="with ReLU half-times of the same directions are in that order too.",
            measured="Spearman correlation of half-time with falling eigenvalue",
            of={"metric": of.HALF_TIME_ORDER, "recipe": of.RELU},
            limit=of.ORDERED,
        ),
        Statement(
            key="slowdown",
            name="shuffled labels are slower",
            statement="labels in another order take more steps to halve the loss that a linear map can take away.",
            measured="steps, over those of the true labels",
            of={"metric": of.SLOWDOWN},
            limit=1.0,
        ),
        bridge(of.LEADING, "the directions that are learned first serve a probe better than as many random features."),
        Statement(
            key="stopped",
            name="a probe stopped early is a probe on few directions",
            statement="a probe that is stopped when it uses 16 directions is within 3 points of one on the leading 16.",
            measured="difference in accuracy",
            of={"metric": names.ACCURACY, "method": of.STOPPED, "n_selected": names.CLAIM_SIZE},
            less={"method": of.LEADING},
            limit=0.03,
            side="within",
        ),
    ),
}
FINDINGS: dict[str, str] = {
    "pc_bias": (
        "Half-times of principal directions follow their eigenvalues: Spearman {order:.2f} in a deep linear network, "
        "{relu:.2f} with ReLU. One layer is the closed form to {exact:.0e}. On the layer, a probe on the 16 leading "
        "directions is {bridge:+.3f} in accuracy from one on as many random features, and a probe that is stopped when "
        "it uses 16 directions {stopped:+.3f} from it."
    ),
}
