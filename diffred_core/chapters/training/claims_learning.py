"""What the pages on the order of learning claim, each held against its table."""

from __future__ import annotations

from diffred_core.chapters.training import names
from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.claims import Statement, bridge

ORDER_OF_HALF_TIMES = "Spearman correlation of half-time with falling eigenvalue"
OFF_ONE = "greatest deviation of the error, as a share of the first one"

STATEMENTS: dict[str, tuple[Statement, ...]] = {
    "pc_bias": (
        Statement(
            key="exact",
            name="one layer follows the closed form",
            statement="the error of one layer along every direction is the closed form to rounding.",
            measured=OFF_ONE,
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
            measured=ORDER_OF_HALF_TIMES,
            of={"metric": of.HALF_TIME_ORDER, "recipe": of.WIDE},
            limit=of.ORDERED,
        ),
        Statement(
            key="relu",
            name="leading directions first, ReLU",
            statement="with ReLU half-times of the same directions are in that order too.",
            measured=ORDER_OF_HALF_TIMES,
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
        bridge(
            of.LEADING, "the directions that are learned first serve a probe better than as many random dimensions."
        ),
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
    "lazy_hasty": (
        Statement(
            key="model",
            name="hasty in the model",
            statement="at an equal fit the gap between a strong and a weak mode is greater for small alpha.",
            measured="gap for small alpha less that for large alpha",
            of={"metric": of.MODEL_GAP, "recipe": of.MODEL_HASTY, "method": names.MEASURED},
            less={"recipe": of.MODEL_LAZY},
        ),
        Statement(
            key="formula",
            name="the model follows its closed form",
            statement="the gap that gradient descent gives is that of the closed form within a hundredth.",
            measured="simulated gap less that of the closed form",
            of={"metric": of.MODEL_GAP, "recipe": of.MODEL_HASTY, "method": names.MEASURED},
            less={"method": names.THEORY},
            limit=0.01,
            side="within",
        ),
        Statement(
            key="network",
            name="hasty in the network",
            statement="at an equal accuracy on all training images the network prefers true labels to wrong ones more "
            "when it is not linearised.",
            measured="gap of the network as it is less that of the linearised one",
            of={"metric": of.GROUP_GAP, "recipe": of.HASTY},
            less={"recipe": of.LAZY},
        ),
        Statement(
            key="lazy",
            name="a large alpha is lazy",
            statement="linearised, the weights move by at most a hundredth of their size.",
            measured="distance from the first weights, as a share of them",
            of={"metric": of.MOVED, "recipe": of.LAZY},
            limit=0.01,
            side="below",
        ),
        Statement(
            key="bridge",
            name="bridge to the layer",
            statement="hard rows lose more than easy ones when few dimensions are kept: for them fewer are redundant.",
            measured="share of its accuracy that easy rows keep with 16 random dimensions, less that of hard rows",
            of={"metric": of.KEPT, "method": of.EASY_ROWS},
            less={"method": of.HARD_ROWS},
        ),
    ),
    "spectral_bias": (
        Statement(
            key="circle",
            name="slow before fast, two layers",
            statement="on the circle frequencies are learned in their order.",
            measured="Spearman correlation of frequency and the step at which 80 % of the amplitude is reached",
            of={"metric": of.FREQUENCY_ORDER, "recipe": of.CIRCLE_WIDE},
            limit=of.ORDERED,
        ),
        Statement(
            key="deviation",
            name="wide layers come near the closed form",
            statement="the wider the two layers, the nearer they come to the closed form of infinite width.",
            measured="greatest deviation of the narrow layers less that of the wide ones, sixteen times as wide",
            of={"metric": of.DEVIATION, "recipe": of.CIRCLE_NARROW},
            less={"recipe": of.CIRCLE_WIDE},
        ),
        Statement(
            key="wide",
            name="and are within a tenth of it",
            statement="the wide layers are within a tenth of the amplitude of it at every frequency and step.",
            measured="greatest deviation",
            of={"metric": of.DEVIATION, "recipe": of.CIRCLE_WIDE},
            limit=0.1,
            side="below",
        ),
        Statement(
            key="deep",
            name="slow before fast, deep",
            statement="a deep network learns frequencies in their order.",
            measured="Spearman correlation of frequency and the step at which 80 % of the amplitude is reached",
            of={"metric": of.FREQUENCY_ORDER, "recipe": of.DEEP_EQUAL},
            limit=of.ORDERED,
        ),
        Statement(
            key="growing",
            name="even where fast ones are stronger",
            statement="it does so even where the amplitude grows with the frequency, to twice the first.",
            measured="Spearman correlation of frequency and the step at which 80 % of the amplitude is reached",
            of={"metric": of.FREQUENCY_ORDER, "recipe": of.DEEP_GROWING},
            limit=of.ORDERED,
        ),
        bridge(of.SMOOTH, "dimensions that vary slowly over the images serve a probe better than as many random ones."),
        Statement(
            key="rough",
            name="and rough ones do worse",
            statement="dimensions that vary fast over the images serve it worse than as many random ones.",
            measured="accuracy of a probe on 16 dimensions, less that on 16 random dimensions",
            of={"metric": names.GAIN, "method": of.ROUGH, "n_selected": names.CLAIM_SIZE},
            side="below",
        ),
    ),
}
FINDINGS: dict[str, str] = {
    "pc_bias": (
        "Half-times of principal directions follow their eigenvalues: Spearman {order:.2f} in a deep linear network, "
        "{relu:.2f} with ReLU. One layer is the closed form to {exact:.0e}. On the layer, a probe on the 16 leading "
        "directions is {bridge:+.3f} in accuracy from one on as many random dimensions, and a probe that is stopped "
        "when it uses 16 directions {stopped:+.3f} from it."
    ),
    "lazy_hasty": (
        "Fitted equally well, the network as it is prefers true labels to wrong ones by {network:+.3f} in accuracy "
        "more than the linearised one; in the model strong modes are ahead of weak ones by {model:+.3f} more. On the "
        "layer, easy rows keep {bridge:+.3f} more of their accuracy with 16 random dimensions than hard ones."
    ),
    "spectral_bias": (
        "Frequencies are learned in their order: Spearman {circle:.2f} in two wide layers, {deep:.2f} in a deep "
        "network, {growing:.2f} where fast ones are stronger. On the layer, the 16 dimensions that vary most slowly "
        "over the images are {bridge:+.3f} in accuracy from random ones, the 16 roughest {rough:+.3f}."
    ),
}
