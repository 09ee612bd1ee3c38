"""Figures of the pages on what is learned first."""

from __future__ import annotations

from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.compared import Ends, Gaps, HalfWay, Pair
from diffred_core.chapters.training.figures import Curves, bridge

residuals = Curves(
    of={"metric": of.RESIDUAL},
    x="step (log scale)",
    y="error left (% of the first)",
    title="Error along principal directions",
    finding=Pair(
        0,
        -1,
        at=20,
        words="One linear layer: after {x} steps direction 1 has {value} of its error left, {than} the last",
    ),
    log="x",
    shares="y",
    ordered=True,
).figure()
half_times = Curves(
    of={"metric": of.HALF_TIME},
    x="eigenvalue: variance along the direction (log scale)",
    y="steps to half the error (log scale)",
    title="Half-time of every direction",
    finding=Ends({of.HALF_TIME: "With one linear layer the half-time {moves} steps as eigenvalues rise to {last}"}),
    panel="metric",
    log="xy",
).figure()
pc_bias_bridge = bridge("Probes on what is kept of the layer", of.LEADING, "the leading directions")

alignment = Curves(
    of={"metric": of.COURSE},
    x="time (log scale)",
    y="share, or alignment",
    title="Loss, alignment and size of the kernel",
    finding=HalfWay(
        of.ALIGNMENT,
        of.LOSS,
        words="Whitened, from small weights: alignment is half way at time {x}, {order} the loss ({other})",
        panel=of.SMALL_WHITE,
    ),
    log="x",
).figure()
silent_alignment_bridge = bridge(
    "Probes on what is kept of the layer", of.LABEL_FIRST, "label directions, then leading ones,"
)

modes = Curves(
    of={"metric": of.PROGRESS},
    x="fitted of both (%)",
    y="fitted of the mode (%)",
    title="Two modes at an equal fit",
    finding=Gaps(
        of.EASY,
        of.HARD,
        at=0.5,
        words={
            of.MODEL_HASTY: "With {x} fitted the strong mode is {gap} for a small alpha",
            of.MODEL_LAZY: "{gap} for a large one",
        },
    ),
    shares="xy",
).figure()
groups = Curves(
    of={"metric": of.GROUP_ACCURACY},
    x="accuracy on all images (%)",
    y="accuracy of the group (%)",
    title="True and wrong labels at an equal accuracy",
    finding=Gaps(
        of.TRUE,
        of.WRONG,
        at=0.85,
        words={of.HASTY: "At {x} of all images true labels are {gap}", of.LAZY: "{gap} if linearised"},
    ),
    shares="xy",
).figure()
lazy_hasty_bridge = bridge(
    "Probes on random dimensions, by difficulty of the rows",
    of.EASY_ROWS,
    "easy rows",
    than=(of.HARD_ROWS, "hard rows"),
)

risk = Curves(
    of={"metric": of.RISK},
    x="training rows (log scale)",
    y="risk (log scale)",
    title="Risk after fine-tuning",
    finding=Pair(
        of.FROM_LEADING,
        of.FROM_TRAILING,
        at=40,
        words="After {x} rows a start that differs in leading directions has risk {value}, {than} trailing ones",
    ),
    panel="metric",
    log="xy",
).figure()
linear_teachers_bridge = bridge(
    "Probes on dimensions by the weight of a probe", of.WEIGHTED, "those of most weight times deviation"
)

race = Curves(
    of={"metric": of.MODE},
    x="time (steps times learning rate)",
    y="strength of the mode",
    title="Modes of trained routes from aligned weights",
    finding=HalfWay(0, -1, words="The first mode is half way at time {x}, {order} the last ({other})"),
).figure()
routes = Curves(
    of={"metric": of.ROUTE_ERROR},
    x="trained routes a domain",
    y="error (share of no map's)",
    title="Routes trained, and never trained",
    finding=Ends(
        {of.RANDOM_SMALL: "From small weights the error of other routes {moves} with {first} to {last} trained ones"},
        line=of.UNTRAINED,
    ),
).figure()
gated_networks_bridge = bridge("Probes for half of the classes", of.FOR_OTHERS, "those chosen for the other classes")

amplitudes = Curves(
    of={"metric": of.AMPLITUDE},
    x="step (log scale)",
    y="amplitude (% of the target's)",
    title="Amplitude by frequency",
    finding=HalfWay(
        0,
        -1,
        words="Deep: the slowest sine is half way after {x} steps, {order} the fastest ({other})",
        panel=of.DEEP_EQUAL,
    ),
    log="x",
    shares="y",
    ordered=True,
).figure()
spectral_bias_bridge = bridge("Probes on dimensions by how fast they vary over the images", of.SMOOTH, "smooth ones")
