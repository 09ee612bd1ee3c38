"""Figures of the chapter: every ``plot_*`` draws a finished summary, ``describe_*`` says it in words."""

from diffred_core.chapters.random_subsets.figures_accuracy import plot_accuracy as plot_accuracy
from diffred_core.chapters.random_subsets.figures_accuracy import plot_probes as plot_probes
from diffred_core.chapters.random_subsets.figures_accuracy import plot_regulariser as plot_regulariser
from diffred_core.chapters.random_subsets.figures_across import plot_dumbbells as plot_dumbbells
from diffred_core.chapters.random_subsets.figures_across import plot_frontier as plot_frontier
from diffred_core.chapters.random_subsets.figures_across import plot_needed as plot_needed
from diffred_core.chapters.random_subsets.figures_classes import plot_inequality as plot_inequality
from diffred_core.chapters.random_subsets.figures_redundancy import plot_redundancy as plot_redundancy
from diffred_core.chapters.random_subsets.figures_similarity import plot_similarity as plot_similarity
from diffred_core.chapters.random_subsets.figures_words import describe_accuracy as describe_accuracy
from diffred_core.chapters.random_subsets.figures_words import describe_dumbbells as describe_dumbbells
from diffred_core.chapters.random_subsets.figures_words import describe_frontier as describe_frontier
from diffred_core.chapters.random_subsets.figures_words import describe_inequality as describe_inequality
from diffred_core.chapters.random_subsets.figures_words import describe_needed as describe_needed
from diffred_core.chapters.random_subsets.figures_words import describe_probes as describe_probes
from diffred_core.chapters.random_subsets.figures_words import describe_redundancy as describe_redundancy
from diffred_core.chapters.random_subsets.figures_words import describe_regulariser as describe_regulariser
from diffred_core.chapters.random_subsets.figures_words import describe_similarity as describe_similarity
