"""What the pages on what a network can do without claim, each held against its table."""

from __future__ import annotations

from dataclasses import replace

from diffred_core.chapters.training import names
from diffred_core.chapters.training import names_parts as of
from diffred_core.chapters.training.claims import Statement, bridge

FACTOR = 0.7  # natural logarithm of a factor of two
ROUNDING = 1e-6  # of float32

STATEMENTS: dict[str, tuple[Statement, ...]] = {
    "lottery_ticket": (
        Statement(
            key="final",
            name="tickets end higher",
            statement="with the fewest weights tickets end more accurate than the same masks with other first weights.",
            measured="difference in accuracy at the last step",
            of={"metric": of.FINAL_ACCURACY, "recipe": of.SPARSEST, "label": of.TICKET},
            less={"label": of.REDRAWN},
        ),
        Statement(
            key="early",
            name="tickets learn faster",
            statement="with the fewest weights tickets are more accurate early in training too.",
            measured="difference in accuracy at the early step",
            of={"metric": of.EARLY_ACCURACY, "recipe": of.SPARSEST, "label": of.TICKET},
            less={"label": of.REDRAWN},
        ),
        Statement(
            key="mask",
            name="the mask matters",
            statement="tickets end more accurate than the same first weights under a random mask of the same size.",
            measured="difference in accuracy at the last step",
            of={"metric": of.FINAL_ACCURACY, "recipe": of.SPARSEST, "label": of.TICKET},
            less={"label": of.RANDOM_MASK},
        ),
        Statement(
            key="fifth",
            name="a fifth of the weights is enough",
            statement="tickets with about a fifth of the weights are as accurate as whole networks, within 1 point.",
            measured="accuracy less that of whole networks",
            of={"metric": of.FINAL_ACCURACY, "label": of.TICKET, "recipe": of.MIDDLE},
            less={"recipe": of.WHOLE},
            limit=of.AS_ACCURATE,
            side="within",
        ),
        bridge(of.MAGNITUDE, "dimensions that the weights of a probe choose serve it better than as many random ones."),
        Statement(
            key="rounds",
            name="rounds choose better than one look",
            statement="dimensions that are left after rounds of fitting and dropping serve a probe better than the "
            "first ones by the weights of one fit.",
            measured=f"difference in accuracy on {names.CLAIM_SIZE} dimensions",
            of={"metric": names.ACCURACY, "method": of.MAGNITUDE, "n_selected": names.CLAIM_SIZE},
            less={"method": of.ONE_SHOT},
        ),
    ),
    "geometric_complexity": (
        Statement(
            key="exact",
            name="a linear network has its squared norm",
            statement="the complexity of a linear network is the squared norm of its weights.",
            measured="relative deviation",
            of={"metric": of.LINEAR_ERROR},
            limit=ROUNDING,
            side="below",
        ),
        *(
            Statement(
                key=what,
                name=f"{words}: {'steeper' if rises else 'less steep'}",
                statement=f"networks are {'steeper' if rises else 'less steep'} at the greatest {words} than at the "
                "least.",
                measured="logarithm of the ratio of complexities",
                of={"metric": of.LOG_RATIO, "recipe": words},
                side="above" if rises else "below",
            )
            for (what, words), rises in zip(of.STRENGTHS.items(), (False, True, False, True), strict=True)
        ),
        Statement(
            key="bridge",
            name="bridge to the layer",
            statement=f"a smooth probe keeps more of its accuracy on {of.RETAINED_SIZE} random dimensions than a "
            "rough one.",
            measured="share of the accuracy on all dimensions that is kept, strong less weak l2",
            of={"metric": of.RETAINED, "method": of.SMOOTH},
            less={"method": of.ROUGH},
        ),
    ),
    "gradmax": (
        Statement(
            key="exact",
            name="GradMax meets its bound",
            statement="the squared gradient norm of the new units is the sum of the leading squared singular values.",
            measured="relative deviation",
            of={"metric": of.BOUND_ERROR},
            limit=1e-10,
            side="below",
        ),
        Statement(
            key="random",
            name="random weights do not",
            statement="random orthonormal outgoing weights get at most nine tenths of it.",
            measured="squared gradient norm as a share of the bound",
            of={"metric": of.OF_BOUND, "recipe": of.RANDOM_UNITS},
            limit=0.9,
            side="below",
        ),
        Statement(
            key="soon",
            name="the loss falls faster at first",
            statement="after a tenth of the steps the loss is lower where units came by GradMax.",
            measured="loss saved, as a share of the loss at the growth",
            of={"metric": of.LOSS_SAVED, "recipe": of.SOON},
        ),
        Statement(
            key="late",
            name="and is lower in the end",
            statement="after all steps the loss is lower where units came by GradMax.",
            measured="loss saved, as a share of the loss at the growth",
            of={"metric": of.LOSS_SAVED, "recipe": of.LATE},
        ),
        bridge(of.MOST_GRADIENT, "dimensions with the most gradient serve a probe better than as many random ones."),
        replace(
            bridge(of.LEAST_GRADIENT, "dimensions with the least gradient serve a probe worse than random ones."),
            key="least",
            name="what gets no gradient is not missed",
            side="below",
        ),
    ),
    "trainability": (
        Statement(
            key="theory",
            name="entropy follows the theory",
            statement="before training the entropy of layers is that of endless layers, within a factor of two.",
            measured="mean absolute logarithm of the ratio over layers, He weights, deepest networks",
            of={"metric": of.THEORY_ERROR, "recipe": of.HE, "label": of.DEEPEST},
            limit=FACTOR,
            side="below",
        ),
        Statement(
            key="dead",
            name="without entropy nothing is learned",
            statement="the deepest networks, whose last layers do not vary over a batch, stay within 5 points of "
            "chance.",
            measured="accuracy above chance, default weights",
            of={"metric": of.ABOVE_CHANCE, "recipe": of.TORCH, "label": of.DEEPEST},
            limit=of.UNTRAINED,
            side="below",
        ),
        Statement(
            key="alive",
            name="with entropy depth can be trained",
            statement="as deep networks with He weights, whose layers vary, leave chance behind.",
            measured="accuracy above chance, He weights",
            of={"metric": of.ABOVE_CHANCE, "recipe": of.HE, "label": of.DEEPEST},
            limit=of.UNTRAINED,
        ),
        Statement(
            key="saved",
            name="entropy in the loss saves them",
            statement="networks that stay at chance are more accurate with batch entropy in the loss.",
            measured="difference in accuracy, default weights, deepest networks",
            of={"metric": of.ABOVE_CHANCE, "recipe": of.REGULARISED, "label": of.DEEPEST},
            less={"recipe": of.TORCH},
        ),
        bridge(of.MOST_ENTROPY, "dimensions of most entropy serve a probe better than as many random ones."),
        replace(
            bridge(of.LEAST_ENTROPY, "dimensions of least entropy serve a probe worse than as many random ones."),
            key="least",
            name="low entropy is not missed",
            side="below",
        ),
    ),
    "superposition": (
        Statement(
            key="dense",
            name="dense features take a dimension each",
            statement="where every feature is always there, as many are represented as there are dimensions.",
            measured="features represented less dimensions, importance falls",
            of={"metric": of.BEYOND, "recipe": of.FALLING, "label": of.DENSE},
            limit=0.5,
            side="within",
        ),
        Statement(
            key="sparse",
            name="sparse features share dimensions",
            statement="where features are rarest, more are represented than there are dimensions.",
            measured="features represented less dimensions, importance falls",
            of={"metric": of.BEYOND, "recipe": of.FALLING, "label": of.SPARSE},
        ),
        Statement(
            key="polytope",
            name="they take the corners of a polytope",
            statement="where features are rarest and all alike, each has m/n dimensions, m dimensions for n features.",
            measured="greatest distance of a feature's dimensionality from m/n",
            of={"metric": of.FROM_POLYTOPE, "recipe": of.ALIKE, "label": of.SPARSE},
            limit=0.05,
            side="below",
        ),
        Statement(
            key="alone",
            name="dense: no better than leaving features out",
            statement="where every feature is always there, the loss is that of the best model without superposition, "
            "within a twentieth.",
            measured="loss over the closed form of that model, importance falls",
            of={"metric": of.OVER_ALONE, "recipe": of.FALLING, "label": of.DENSE},
            limit=1.05,
            side="below",
        ),
        Statement(
            key="gain",
            name="sparse: much better",
            statement="where features are rarest, superposition has less than half of that loss.",
            measured="loss over the closed form of the best model without superposition, importance falls",
            of={"metric": of.OVER_ALONE, "recipe": of.FALLING, "label": of.SPARSE},
            limit=0.5,
            side="below",
        ),
        replace(
            bridge(of.PROJECTION, "random directions serve a probe better than as many random dimensions."),
            name="bridge to the layer: dimensions are privileged, and worse",
        ),
        replace(
            bridge(
                of.EVEN_PROJECTION, "once dimensions have one spread, random directions serve as well, within 2 points."
            ),
            key="even",
            name="axes do not matter but for their scale",
            limit=of.NO_BASIS,
            side="within",
        ),
        Statement(
            key="classes",
            name="few dimensions put classes in superposition",
            statement=f"on {names.CLAIM_SIZE} random dimensions, as many as classes and more, a class mean has fewer "
            "dimensions to itself than on as many random directions.",
            measured="dimensions per class, random directions less random dimensions",
            of={"metric": of.CLASS_DIMENSIONS, "method": of.PROJECTION, "n_selected": names.CLAIM_SIZE},
            less={"method": names.RANDOM},
        ),
    ),
    "low_dimensional": (
        Statement(
            key="moved",
            name="no gradient points off the data",
            statement="no weight that reads a transverse direction moves at all in training.",
            measured="greatest change of such a weight",
            of={"metric": of.MOVED, "recipe": of.PLAIN},
            side="below",
        ),
        Statement(
            key="decay",
            name="decay follows the closed form",
            statement="with weight decay they shrink by the closed form, whatever is learned.",
            measured="greatest relative deviation of their squared norm",
            of={"metric": of.DECAY_ERROR, "recipe": of.DECAY},
            limit=1e-5,
            side="below",
        ),
        *(
            Statement(
                key=key,
                name=f"{words}: fewer flips",
                statement=f"with {words} transverse noise turns fewer classes than without.",
                measured="share of test rows that flip, less that of plain training",
                of={"metric": of.FLIPS, "recipe": words},
                less={"recipe": of.PLAIN},
                side="below",
            )
            for key, words in (
                ("small", of.SMALL_START),
                ("decayed", of.DECAY),
                ("noise", of.NOISE),
                ("deeper", of.DEEPER),
            )
        ),
        Statement(
            key="start",
            name="bridge to the layer: a random start costs accuracy",
            statement="where rows are fewest, least squares from random weights is less accurate than from 0.",
            measured="accuracy from 0 less that from random weights",
            of={"metric": of.START_COST, "label": of.FEW_ROWS},
        ),
        Statement(
            key="whole",
            name="the whole layer serves few rows better than few dimensions",
            statement="where rows are fewest, from 0 the whole layer is more accurate than half as many random "
            "dimensions as rows.",
            measured="difference in accuracy",
            of={"metric": of.WHOLE_GAIN, "label": of.FEW_ROWS},
        ),
    ),
}
