"""Loops over seeds, sizes and probes: features of one model and task in, one tidy row a measurement out.

TaskFeatures --subset_probes-->     accuracy, diffused redundancy, inequality over classes, gap to the full layer
TaskFeatures --subset_similarity--> CKA of random subsets with the layer and with each other, and its references
Layers --layers-->                  accuracy by layer in and out of distribution, the tunnel, rank, collapse, redundancy
Images --tunnel_small_networks-->   networks trained here: accuracy by layer on their task and on others, and the tunnel
Pool, views of it --few_shot-->     accuracy of episodes by order, mask, shots and ways, and what explains it
"""

from diffred_core.sweeps._few_shot._draws import few_shot_episodes as few_shot_episodes
from diffred_core.sweeps._few_shot._draws import write_few_shot_episodes as write_few_shot_episodes
from diffred_core.sweeps._few_shot._pool import Pool as Pool
from diffred_core.sweeps._few_shot._pool import few_shot_pool as few_shot_pool
from diffred_core.sweeps._few_shot._setting import FEW_SHOT_FRACTIONS as FEW_SHOT_FRACTIONS
from diffred_core.sweeps._few_shot._sweep import few_shot as few_shot
from diffred_core.sweeps._few_shot._theory import few_shot_theory as few_shot_theory
from diffred_core.sweeps._few_shot._theory import theory_errors as theory_errors
from diffred_core.sweeps._grid import DELTAS as DELTAS
from diffred_core.sweeps._grid import PUBLISHED_FRACTIONS as PUBLISHED_FRACTIONS
from diffred_core.sweeps._grid import REPORTED_DELTAS as REPORTED_DELTAS
from diffred_core.sweeps._grid import SizeGrid as SizeGrid
from diffred_core.sweeps._layer_reading import by_layer as by_layer
from diffred_core.sweeps._layers import layers as layers
from diffred_core.sweeps._rows import Cell as Cell
from diffred_core.sweeps._small_networks import tunnel_small_networks as tunnel_small_networks
from diffred_core.sweeps._subset_probes import subset_probes as subset_probes
from diffred_core.sweeps._subset_similarity import subset_similarity as subset_similarity
