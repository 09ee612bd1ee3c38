"""What the pages on linear networks claim, each held against its table."""

from __future__ import annotations

from diffred_core.chapters.training import names
from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.claims import Statement, bridge

STATEMENTS: dict[str, tuple[Statement, ...]] = {
    "silent_alignment": (
        Statement(
            key="silent",
            name="alignment before the loss falls",
            statement="from small weights on whitened images the kernel has made nine tenths of its way to the labels "
            "before a tenth of the loss is gone.",
            measured="share of the rise of the alignment until then",
            of={"metric": of.SHARE_BEFORE, "recipe": of.SMALL_WHITE},
            limit=0.9,
        ),
        Statement(
            key="loud",
            name="not from large weights",
            statement="from large weights it has made less than a half of it.",
            measured="share of the change of the alignment until then",
            of={"metric": of.SHARE_BEFORE, "recipe": of.LARGE_WHITE},
            limit=0.5,
            side="below",
        ),
        Statement(
            key="overshoot",
            name="as they are, it overshoots",
            statement="on images that are not whitened the alignment, from small weights, goes beyond its last value "
            "first, and falls back.",
            measured="share of the rise of the alignment until then",
            of={"metric": of.SHARE_BEFORE, "recipe": of.SMALL_PLAIN},
            limit=1.0,
        ),
        Statement(
            key="end",
            name="the last alignment is the closed form",
            statement="it ends within a hundredth of 2 / sqrt(n + 3).",
            measured="last alignment less the closed form",
            of={"metric": of.ALIGNMENT_END, "recipe": of.SMALL_WHITE, "method": names.MEASURED},
            less={"method": names.THEORY},
            limit=0.01,
            side="within",
        ),
        Statement(
            key="regression",
            name="kernel regression with the last kernel",
            statement="what is learned silently is kernel regression with the last kernel, within 1 % of its outputs.",
            measured="distance on test images, as a share",
            of={"metric": of.KERNEL_REGRESSION, "recipe": of.SMALL_WHITE},
            limit=0.01,
            side="below",
        ),
        Statement(
            key="not_regression",
            name="and otherwise it is not",
            statement="from large weights it is further from it than from small ones.",
            measured="distance from large weights less that from small ones",
            of={"metric": of.KERNEL_REGRESSION, "recipe": of.LARGE_WHITE},
            less={"recipe": of.SMALL_WHITE},
        ),
        bridge(
            of.LABEL_FIRST,
            "the few directions that an aligned kernel adds serve a probe better than as many random dimensions.",
        ),
        Statement(
            key="directions",
            name="label directions beat leading ones",
            statement="and better than as many leading principal directions.",
            measured="accuracy of a probe on 16 dimensions, less that on 16 leading directions",
            of={"metric": names.ACCURACY, "method": of.LABEL_FIRST, "n_selected": names.CLAIM_SIZE},
            less={"method": of.LEADING},
        ),
    ),
    "linear_teachers": (
        Statement(
            key="formula",
            name="gradient descent ends at the formula",
            statement="the risk by gradient descent is that of the formula to six digits.",
            measured="greatest relative difference, over starts and numbers of rows",
            of={"metric": of.FORMULA_ERROR},
            limit=1e-6,
            side="below",
        ),
        Statement(
            key="leading",
            name="a leading difference is unlearned",
            statement="where source and target differ in leading directions, fine-tuning takes away most of the risk.",
            measured="risk after fine-tuning over risk before",
            of={"metric": of.RISK_RATIO, "label": of.FROM_LEADING},
            limit=0.5,
            side="below",
        ),
        Statement(
            key="trailing",
            name="a trailing difference grows",
            statement="where they differ in trailing directions, fine-tuning on few rows makes it worse.",
            measured="risk after fine-tuning over risk before",
            of={"metric": of.RISK_RATIO, "label": of.FROM_TRAILING},
            limit=1.0,
        ),
        Statement(
            key="tells",
            name="the weighted distance tells the risk",
            statement="over pairs the difference weighted by the covariance tells the risk better than its length.",
            measured="rank correlation of the weighted distance with the risk, less that of the length",
            of={"metric": of.TELLS, "label": of.WEIGHTED_DISTANCE},
            less={"label": of.PLAIN_DISTANCE},
        ),
        bridge(
            of.WEIGHTED,
            "dimensions by the weight of a probe times their deviation serve better than as many random dimensions.",
        ),
        Statement(
            key="plain",
            name="a weight alone does not tell",
            statement="and better than dimensions by the weight alone.",
            measured="accuracy of a probe on 16 dimensions, less that on 16 by weight alone",
            of={"metric": names.ACCURACY, "method": of.WEIGHTED, "n_selected": names.CLAIM_SIZE},
            less={"method": of.PLAIN},
        ),
    ),
    "gated_networks": (
        Statement(
            key="reduction",
            name="the reduction is the simulation",
            statement="from aligned weights every mode follows the reduction within 3 % of its strength.",
            measured="greatest deviation",
            of={"metric": of.REDUCTION_ERROR},
            limit=0.03,
            side="below",
        ),
        Statement(
            key="zero_shot",
            name="untrained routes work",
            statement="with as many trained routes as possible, those never trained are right within 5 %.",
            measured="error of routes never trained, as a share of that of no map",
            of={"metric": of.ROUTE_ERROR_END, "recipe": of.RANDOM_SMALL, "label": of.UNTRAINED},
            limit=0.05,
            side="below",
        ),
        Statement(
            key="few",
            name="not with few trained routes",
            statement="with as few as possible their error is above a half.",
            measured="error of routes never trained, as a share of that of no map",
            of={"metric": of.ROUTE_ERROR_FEWEST, "recipe": of.RANDOM_SMALL, "label": of.UNTRAINED},
            limit=0.5,
        ),
        Statement(
            key="lazy",
            name="large weights share less",
            statement="from large weights routes never trained are worse than from small ones.",
            measured="their error from large weights less that from small ones",
            of={"metric": of.ROUTE_ERROR_END, "recipe": of.RANDOM_LARGE, "label": of.UNTRAINED},
            less={"recipe": of.RANDOM_SMALL},
        ),
        bridge(
            of.FOR_OTHERS,
            "dimensions chosen by a probe for half of the classes serve the others better than as many random ones.",
        ),
        Statement(
            key="shared",
            name="most of the choice is shared",
            statement="what is chosen for the other classes is within 10 points of what is chosen for these.",
            measured="difference in accuracy",
            of={"metric": names.ACCURACY, "method": of.FOR_OTHERS, "n_selected": names.CLAIM_SIZE},
            less={"method": of.FOR_ITSELF},
            limit=0.1,
            side="within",
        ),
    ),
}
FINDINGS: dict[str, str] = {
    "silent_alignment": (
        "By the time a tenth of the loss is gone the kernel has made {silent:.2f} of its way to the labels from small "
        "weights on whitened images, {loud:.2f} from large ones, and {overshoot:.2f} on images as they are. What is "
        "learned silently is {regression:.4f} of its outputs from kernel regression with the last kernel. On the "
        "layer, 16 dimensions that begin with the label directions are {bridge:+.3f} in accuracy from 16 random "
        "dimensions and {directions:+.3f} from the leading ones."
    ),
    "linear_teachers": (
        "Fine-tuning on few rows leaves {leading:.2f} of the risk where source and target differ in leading "
        "directions, and {trailing:.2f} times as much where they differ in trailing ones. On the layer, 16 dimensions "
        "by weight times deviation are {bridge:+.3f} in accuracy from random ones and {plain:+.3f} from those by "
        "weight alone."
    ),
    "gated_networks": (
        "Routes that were never trained have {zero_shot:.2g} of the error of no map where as many others as possible "
        "were trained, and {few:.2f} where as few as possible were; large first weights add {lazy:.2g}. On the layer, "
        "16 dimensions chosen for half of the classes are {bridge:+.3f} in accuracy from random ones on the other half."
    ),
}
