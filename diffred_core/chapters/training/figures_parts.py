"""Figures of the pages on what a network can do without."""

from __future__ import annotations

from diffred_core.chapters.training import names
from diffred_core.chapters.training import names_parts as of
from diffred_core.chapters.training.figures import Curves, bridge

ON_LAYER = "Probes on what is kept of the layer"

tickets = Curves(
    of={"metric": of.PRUNED},
    x="weights left (%, log scale)",
    y="test accuracy (%)",
    title="Pruned networks",
    log="x",
    shares="xy",
).figure()
lottery_ticket_bridge = bridge(ON_LAYER)

steepness = Curves(
    of={"metric": of.COMPLEXITY, "recipe": (of.STRENGTHS["l2"], of.STRENGTHS["label_noise"])},
    x="strength (log scale)",
    y="complexity (log scale)",
    title="Geometric complexity",
    log="xy",
).figure()
steepness_by_descent = Curves(
    of={"metric": of.COMPLEXITY, "recipe": (of.STRENGTHS["learning_rate"], of.STRENGTHS["batch_size"])},
    x="rate, or images a step",
    y="complexity",
    title="Geometric complexity",
).figure()
probe_complexity = Curves(
    of={"metric": of.PROBE_COMPLEXITY},
    x="random features kept (log scale)",
    y="complexity of the probe (log scale)",
    title="Probes on the layer",
    series="method",
    panel="layer",
    along="n_selected",
    log="xy",
).figure()
geometric_complexity_bridge = bridge("Probes on random features")

gradients = Curves(
    of={"metric": of.GRADIENT},
    x="new units",
    y="squared gradient norm",
    title="New units",
).figure()
losses_after_growth = Curves(
    of={"metric": of.LOSS},
    x="step after the growth (log scale)",
    y="loss",
    title="Students that grew",
    log="x",
).figure()
gradmax_bridge = bridge(ON_LAYER)

entropies = Curves(
    of={"metric": of.ENTROPY},
    x="layer",
    y="batch entropy (nats, log scale)",
    title="Before training",
    log="y",
).figure()
accuracy_by_depth = Curves(
    of={"metric": of.DEPTH_ACCURACY},
    x="hidden layers",
    y="test accuracy (%)",
    title="After training",
    shares="y",
).figure()
trainability_bridge = bridge(ON_LAYER)

dimensionality = Curves(
    of={"metric": of.DIMENSIONALITY},
    x="1 / density (log scale)",
    y="dimensions of a feature",
    title="Features by rank",
    log="x",
).figure()
toy_losses = Curves(
    of={"metric": of.TOY_LOSS},
    x="1 / density (log scale)",
    y="loss (log scale)",
    title="Loss beside that without superposition",
    log="xy",
).figure()
class_dimensions = Curves(
    of={"metric": of.CLASS_DIMENSIONS},
    x="dimensions kept (log scale)",
    y="dimensions of a class mean",
    title="Class means of the layer",
    series="method",
    panel="layer",
    along="n_selected",
    log="x",
).figure()
superposition_bridge = bridge(ON_LAYER)

transverse_norms = Curves(
    of={"metric": of.TRANSVERSE_NORM},
    x="step (log scale)",
    y="squared norm (% of the first)",
    title="Transverse weights",
    log="x",
    shares="y",
).figure()
low_dimensional_bridge = Curves(
    of={"metric": names.ACCURACY},
    x="training rows",
    y="test accuracy (%)",
    title="Least squares on the layer",
    series="method",
    panel="layer",
    shares="y",
).figure()
unreached = Curves(
    of={"metric": of.UNREACHED},
    x="training rows",
    y="squared length off them (%)",
    title="Test rows off the training rows",
    series="method",
    panel="layer",
    shares="y",
).figure()
