"""The published statistics of Harun et al. (2024) again, from the 512 rows that they published.

experiments_results.csv --find_results, read--> 512 rows with the names of networks and OOD sets
rows, two selections --effects--> means, Cliff's delta and Wilcoxon's p as published; intervals over networks
rows --explained, slopes, variance_shares--> the regression, its Shapley values and slopes
rows --label_residuals, resolution_pairings--> checks of how the numbers hang together
all of these --replay--> published | recomputed | equal; --statistics_table--> one results table
"""

from diffred_core.tunnel_statistics._checks import READINGS as READINGS
from diffred_core.tunnel_statistics._checks import label_residuals as label_residuals
from diffred_core.tunnel_statistics._checks import resolution_pairings as resolution_pairings
from diffred_core.tunnel_statistics._comparisons import COMPARISONS as COMPARISONS
from diffred_core.tunnel_statistics._comparisons import CROSSED as CROSSED
from diffred_core.tunnel_statistics._comparisons import GROUPS as GROUPS
from diffred_core.tunnel_statistics._comparisons import RESOLUTIONS as RESOLUTIONS
from diffred_core.tunnel_statistics._comparisons import VARIANTS as VARIANTS
from diffred_core.tunnel_statistics._comparisons import Comparison as Comparison
from diffred_core.tunnel_statistics._comparisons import pairs as pairs
from diffred_core.tunnel_statistics._comparisons import select as select
from diffred_core.tunnel_statistics._effects import cliffs_delta as cliffs_delta
from diffred_core.tunnel_statistics._effects import effects as effects
from diffred_core.tunnel_statistics._effects import paired_p as paired_p
from diffred_core.tunnel_statistics._file import SOURCE as SOURCE
from diffred_core.tunnel_statistics._file import find_results as find_results
from diffred_core.tunnel_statistics._file import is_published as is_published
from diffred_core.tunnel_statistics._findings import NAMES as NAMES
from diffred_core.tunnel_statistics._findings import as_printed as as_printed
from diffred_core.tunnel_statistics._findings import effects_finding as effects_finding
from diffred_core.tunnel_statistics._findings import labels_finding as labels_finding
from diffred_core.tunnel_statistics._findings import pairing_finding as pairing_finding
from diffred_core.tunnel_statistics._findings import regression_finding as regression_finding
from diffred_core.tunnel_statistics._findings import replay_counts as replay_counts
from diffred_core.tunnel_statistics._findings import replay_finding as replay_finding
from diffred_core.tunnel_statistics._findings import resolution_finding as resolution_finding
from diffred_core.tunnel_statistics._networks import METRICS as METRICS
from diffred_core.tunnel_statistics._networks import OOD_SETS as OOD_SETS
from diffred_core.tunnel_statistics._networks import PREDICTORS as PREDICTORS
from diffred_core.tunnel_statistics._networks import networks as networks
from diffred_core.tunnel_statistics._regression import design as design
from diffred_core.tunnel_statistics._regression import explained as explained
from diffred_core.tunnel_statistics._regression import fit as fit
from diffred_core.tunnel_statistics._regression import slopes as slopes
from diffred_core.tunnel_statistics._regression import variance_shares as variance_shares
from diffred_core.tunnel_statistics._replay import VERDICTS as VERDICTS
from diffred_core.tunnel_statistics._replay import beside_published as beside_published
from diffred_core.tunnel_statistics._replay import replay as replay
from diffred_core.tunnel_statistics._replay import strengths as strengths
from diffred_core.tunnel_statistics._rounding import rounding_slack as rounding_slack
from diffred_core.tunnel_statistics._rows import statistics_table as statistics_table
from diffred_core.tunnel_statistics._shapley import shapley_values as shapley_values
from diffred_core.tunnel_statistics._table import read as read
