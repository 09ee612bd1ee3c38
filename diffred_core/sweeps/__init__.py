"""Loops over seeds, sizes and probes: features of one model and task in, one tidy row a measurement out.

TaskFeatures --subset_probes-->     accuracy, diffused redundancy, inequality over classes, gap to the full layer
TaskFeatures --subset_similarity--> CKA of random subsets with the layer and with each other, and its references
"""

from diffred_core.sweeps._grid import DELTAS as DELTAS
from diffred_core.sweeps._grid import PUBLISHED_FRACTIONS as PUBLISHED_FRACTIONS
from diffred_core.sweeps._grid import REPORTED_DELTAS as REPORTED_DELTAS
from diffred_core.sweeps._grid import SizeGrid as SizeGrid
from diffred_core.sweeps._rows import Cell as Cell
from diffred_core.sweeps._subset_probes import subset_probes as subset_probes
from diffred_core.sweeps._subset_similarity import subset_similarity as subset_similarity
