"""Figures of the chapter: every ``plot_*`` draws a finished summary, ``describe_*`` says it in words."""

from diffred_core.chapters.tunnel_paper.figures_statistics import plot_effects as plot_effects
from diffred_core.chapters.tunnel_paper.figures_statistics import plot_label_residuals as plot_label_residuals
from diffred_core.chapters.tunnel_paper.figures_statistics import plot_resolutions as plot_resolutions
from diffred_core.chapters.tunnel_paper.figures_statistics import plot_slopes as plot_slopes
from diffred_core.chapters.tunnel_paper.figures_words import describe_effects as describe_effects
from diffred_core.chapters.tunnel_paper.figures_words import describe_label_residuals as describe_label_residuals
from diffred_core.chapters.tunnel_paper.figures_words import describe_resolutions as describe_resolutions
from diffred_core.chapters.tunnel_paper.figures_words import describe_slopes as describe_slopes
