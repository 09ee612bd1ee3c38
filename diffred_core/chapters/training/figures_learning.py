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
