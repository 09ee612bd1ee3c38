"""Figures of the pages on what is learned first."""

from __future__ import annotations

from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.figures import Curves, bridge

residuals = Curves(
    of={"metric": of.RESIDUAL},
    x="step (log scale)",
    y="error left (% of the first)",
    title="Error along principal directions",
    log="x",
    shares="y",
).figure()
half_times = Curves(
    of={"metric": of.HALF_TIME},
    x="eigenvalue (log scale)",
    y="steps to half the error (log scale)",
    title="Half-time of every direction",
    panel="metric",
    log="xy",
).figure()
pc_bias_bridge = bridge("Probes on what is kept of the layer")

alignment = Curves(
    of={"metric": of.COURSE},
    x="time",
    y="share",
    title="Loss, alignment and size of the kernel",
    log="x",
).figure()
silent_alignment_bridge = bridge("Probes on what is kept of the layer")

modes = Curves(
    of={"metric": of.PROGRESS},
    x="fitted of both together (%)",
    y="fitted of the mode (%)",
    title="Two modes at an equal fit",
    shares="xy",
).figure()
groups = Curves(
    of={"metric": of.GROUP_ACCURACY},
    x="accuracy on all training images (%)",
    y="accuracy of the group (%)",
    title="True and wrong labels at an equal accuracy",
    shares="xy",
).figure()
lazy_hasty_bridge = bridge("Probes on random features, by difficulty of the rows")

risk = Curves(
    of={"metric": of.RISK},
    x="training rows (log scale)",
    y="risk (log scale)",
    title="Risk after fine-tuning",
    panel="metric",
    log="xy",
).figure()
linear_teachers_bridge = bridge("Probes on features by the weight of a probe")

race = Curves(
    of={"metric": of.MODE},
    x="time",
    y="strength of the mode",
    title="Modes of trained routes from aligned weights",
).figure()
routes = Curves(
    of={"metric": of.ROUTE_ERROR},
    x="trained routes of every domain",
    y="error (share of that of no map)",
    title="Routes trained, and never trained",
).figure()
gated_networks_bridge = bridge("Probes for half of the classes")

amplitudes = Curves(
    of={"metric": of.AMPLITUDE},
    x="step (log scale)",
    y="amplitude (% of the target's)",
    title="Amplitude by frequency",
    log="x",
    shares="y",
).figure()
spectral_bias_bridge = bridge("Probes on features by how fast they vary over the images")
