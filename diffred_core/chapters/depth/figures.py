"""Figures of the chapter: every ``plot_*`` draws a finished summary, ``describe_*`` says it in words."""

from diffred_core.chapters.depth.figures_layers import plot_layer_accuracy as plot_layer_accuracy
from diffred_core.chapters.depth.figures_layers import plot_layer_collapse as plot_layer_collapse
from diffred_core.chapters.depth.figures_layers import plot_layer_optimism as plot_layer_optimism
from diffred_core.chapters.depth.figures_layers import plot_layer_rank as plot_layer_rank
from diffred_core.chapters.depth.figures_layers import plot_layer_redundancy as plot_layer_redundancy
from diffred_core.chapters.depth.figures_layers_words import describe_layer_accuracy as describe_layer_accuracy
from diffred_core.chapters.depth.figures_layers_words import describe_layer_collapse as describe_layer_collapse
from diffred_core.chapters.depth.figures_layers_words import describe_layer_optimism as describe_layer_optimism
from diffred_core.chapters.depth.figures_layers_words import describe_layer_rank as describe_layer_rank
from diffred_core.chapters.depth.figures_layers_words import describe_layer_redundancy as describe_layer_redundancy
from diffred_core.chapters.depth.figures_networks import plot_depth_accuracy as plot_depth_accuracy
from diffred_core.chapters.depth.figures_networks import plot_depth_geometry as plot_depth_geometry
from diffred_core.chapters.depth.figures_networks import plot_retained as plot_retained
from diffred_core.chapters.depth.figures_networks_words import describe_depth_accuracy as describe_depth_accuracy
from diffred_core.chapters.depth.figures_networks_words import describe_depth_geometry as describe_depth_geometry
from diffred_core.chapters.depth.figures_networks_words import describe_retained as describe_retained
