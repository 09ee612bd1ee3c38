"""Figures of the chapter: every ``plot_*`` draws a finished summary, ``describe_*`` says it in words."""

from diffred_core.chapters.few_shots.figures_curves import plot_bridge as plot_bridge
from diffred_core.chapters.few_shots.figures_curves import plot_gains as plot_gains
from diffred_core.chapters.few_shots.figures_curves import plot_orders as plot_orders
from diffred_core.chapters.few_shots.figures_rows import plot_agreement as plot_agreement
from diffred_core.chapters.few_shots.figures_rows import plot_masks as plot_masks
from diffred_core.chapters.few_shots.figures_rows import plot_peaks as plot_peaks
from diffred_core.chapters.few_shots.figures_theory import describe_theory as describe_theory
from diffred_core.chapters.few_shots.figures_theory import plot_theory as plot_theory
from diffred_core.chapters.few_shots.figures_words import describe_agreement as describe_agreement
from diffred_core.chapters.few_shots.figures_words import describe_bridge as describe_bridge
from diffred_core.chapters.few_shots.figures_words import describe_gains as describe_gains
from diffred_core.chapters.few_shots.figures_words import describe_masks as describe_masks
from diffred_core.chapters.few_shots.figures_words import describe_orders as describe_orders
from diffred_core.chapters.few_shots.figures_words import describe_peaks as describe_peaks
