"""Figures of the book: every ``plot_*`` takes a finished summary and draws it; ``describe_*`` says it in words.

A summary is what `results.summarize` returns. Nothing here computes a statistic.
"""

from diffred_core.figures._accuracy import plot_accuracy as plot_accuracy
from diffred_core.figures._accuracy import plot_probes as plot_probes
from diffred_core.figures._accuracy import plot_regulariser as plot_regulariser
from diffred_core.figures._classes import plot_inequality as plot_inequality
from diffred_core.figures._display import png as png
from diffred_core.figures._display import show as show
from diffred_core.figures._grid import plot_dumbbells as plot_dumbbells
from diffred_core.figures._grid import plot_frontier as plot_frontier
from diffred_core.figures._grid import plot_needed as plot_needed
from diffred_core.figures._redundancy import plot_redundancy as plot_redundancy
from diffred_core.figures._similarity import plot_similarity as plot_similarity
from diffred_core.figures._speed import describe_speed as describe_speed
from diffred_core.figures._speed import plot_speed as plot_speed
from diffred_core.figures._table import show_table as show_table
from diffred_core.figures._words import describe_accuracy as describe_accuracy
from diffred_core.figures._words import describe_dumbbells as describe_dumbbells
from diffred_core.figures._words import describe_frontier as describe_frontier
from diffred_core.figures._words import describe_inequality as describe_inequality
from diffred_core.figures._words import describe_needed as describe_needed
from diffred_core.figures._words import describe_probes as describe_probes
from diffred_core.figures._words import describe_redundancy as describe_redundancy
from diffred_core.figures._words import describe_regulariser as describe_regulariser
from diffred_core.figures._words import describe_similarity as describe_similarity
