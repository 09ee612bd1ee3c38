"""Figures of the pages on what a network can do without."""

from __future__ import annotations

from diffred_core.chapters.training import names
from diffred_core.chapters.training import names_parts as of
from diffred_core.chapters.training.compared import Ends, Pair
from diffred_core.chapters.training.figures import Curves, bridge

ON_LAYER = "Probes on what is kept of the layer"

tickets = Curves(
    of={"metric": of.PRUNED},
    x="weights left (%, log)",
    y="test accuracy (%)",
    title="Pruned networks",
    finding=Pair(
        of.TICKET,
        of.REDRAWN,
        at=0.0,
        words="Early in training, with {x} of its weights, a ticket reaches {value}, {than} other first weights",
    ),
    log="x",
    shares="xy",
).figure()
lottery_ticket_bridge = bridge(ON_LAYER, of.MAGNITUDE, "those of greatest weights in rounds")

steepness = Curves(
    of={"metric": of.COMPLEXITY, "recipe": (of.STRENGTHS["l2"], of.STRENGTHS["label_noise"])},
    x="strength (log scale)",
    y="complexity (log scale)",
    title="Geometric complexity: mean squared slope",
    finding=Ends(
        {
            of.STRENGTHS["l2"]: "Complexity {moves} with the l2 penalty",
            of.STRENGTHS["label_noise"]: "{moves} with wrong labels",
        }
    ),
    log="xy",
    x_of={
        of.STRENGTHS["l2"]: "l2 penalty (log scale)",
        of.STRENGTHS["label_noise"]: "wrong labels (share, log)",
    },
).figure()
steepness_by_descent = Curves(
    of={"metric": of.COMPLEXITY, "recipe": (of.STRENGTHS["learning_rate"], of.STRENGTHS["batch_size"])},
    x="strength",
    y="complexity",
    title="Geometric complexity: mean squared slope",
    finding=Ends(
        {
            of.STRENGTHS["learning_rate"]: "Complexity {moves} with the learning rate",
            of.STRENGTHS["batch_size"]: "{moves} with the batch size",
        }
    ),
    x_of={of.STRENGTHS["learning_rate"]: "learning rate", of.STRENGTHS["batch_size"]: "batch size (images)"},
).figure()
probe_complexity = Curves(
    of={"metric": of.PROBE_COMPLEXITY},
    x="random dimensions kept (log scale)",
    y="complexity of probe (log scale)",
    title="Probes on the layer",
    finding=Pair(
        of.ROUGH,
        of.SMOOTH,
        at=of.RETAINED_SIZE,
        words="On {x} dimensions weak l2 gives complexity {value}, {than} strong l2",
    ),
    series="method",
    panel="layer",
    along="n_selected",
    log="xy",
).figure()
geometric_complexity_bridge = bridge(
    "Probes on random dimensions",
    of.SMOOTH,
    "probes of strong l2",
    than=(of.ROUGH, "those of weak l2"),
    at=of.RETAINED_SIZE,
)

gradients = Curves(
    of={"metric": of.GRADIENT},
    x="new units",
    y="squared gradient norm",
    title="New units",
    finding=Pair(
        of.GRADMAX,
        of.RANDOM_UNITS,
        at=5,
        words="For {x} new units GradMax gets squared norm {value}, {than} random weights",
    ),
).figure()
losses_after_growth = Curves(
    of={"metric": of.LOSS},
    x="step after the growth (log scale)",
    y="loss",
    title="Students that grew",
    finding=Pair(
        of.GRADMAX, of.RANDOM_UNITS, at=50, words="After {x} steps GradMax has loss {value}, {than} random weights"
    ),
    log="x",
).figure()
gradmax_bridge = bridge(ON_LAYER, of.MOST_GRADIENT, "those of most gradient")

entropies = Curves(
    of={"metric": of.ENTROPY},
    x="layer",
    y="batch entropy (nats, log scale)",
    title="Before training",
    finding=Pair(of.HE, of.TORCH, at=5, words="He weights leave {value} nats at layer {x}, {than} torch.nn.Linear"),
    log="y",
).figure()
accuracy_by_depth = Curves(
    of={"metric": of.DEPTH_ACCURACY},
    x="hidden layers",
    y="test accuracy (%)",
    title="After training",
    finding=Pair(
        of.HE, of.TORCH, at=30, words="With {x} hidden layers He weights reach {value}, {than} those of torch.nn.Linear"
    ),
    shares="y",
).figure()
trainability_bridge = bridge(ON_LAYER, of.MOST_ENTROPY, "those of most entropy")

dimensionality = Curves(
    of={"metric": of.DIMENSIONALITY},
    x="1 / density (log scale)",
    y="dimensions of a feature",
    title="Features by rank",
    finding=Ends(
        {of.FALLING: "The last feature {moves} of a dimension where features are {last} times as rare"}, line=-1
    ),
    log="x",
    ordered=True,
).figure()
toy_losses = Curves(
    of={"metric": of.TOY_LOSS},
    x="1 / density (log scale)",
    y="loss (log scale)",
    title="Loss, and that without superposition",
    finding=Pair(
        0,
        names.THEORY,
        at=50,
        words="Where one feature of {x} is there, the loss is {value}, {than} features kept apart",
    ),
    log="xy",
).figure()
class_dimensions = Curves(
    of={"metric": of.CLASS_DIMENSIONS},
    x="dimensions kept (log scale)",
    y="dimensions of a class mean",
    title="Class means of the layer",
    finding=Pair(
        names.RANDOM,
        of.MOST_DIMENSIONS,
        at=16,
        words="On {x} random dimensions a class mean has {value} of its own, {than} the bound",
    ),
    series="method",
    panel="layer",
    along="n_selected",
    log="x",
).figure()
superposition_bridge = bridge(ON_LAYER, of.PROJECTION, "random directions")

transverse_norms = Curves(
    of={"metric": of.TRANSVERSE_NORM},
    x="step (log scale)",
    y="squared norm (% of the first)",
    title="Transverse weights",
    finding=Pair(
        of.DECAY,
        of.PLAIN,
        at=1e9,
        words="After {x} steps weight decay leaves {value} of the weights off the data, {than} plain training",
    ),
    log="x",
    shares="y",
).figure()
low_dimensional_bridge = Curves(
    of={"metric": names.ACCURACY},
    x="training rows (log scale)",
    y="test accuracy (%)",
    title="Least squares on the layer",
    finding=Pair(
        of.ZERO_START,
        of.RANDOM_START,
        at=100,
        words="With {x} rows the whole layer from 0 reaches {value}, {than} from random weights",
    ),
    series="method",
    panel="layer",
    log="x",
    shares="y",
).figure()
unreached = Curves(
    of={"metric": of.UNREACHED},
    x="training rows (log scale)",
    y="squared length off them (%)",
    title="Test rows off the training rows",
    finding=Ends({names.LAYER: "What no training row reaches {moves} with {first} to {last} rows"}),
    series="method",
    panel="layer",
    log="x",
    shares="y",
).figure()
