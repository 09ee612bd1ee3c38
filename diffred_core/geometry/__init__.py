"""The shape of a layer: its rank, how far its classes have collapsed, where its labels lie in its spectrum.

moments --spectrum--> its singular directions, made once for what reads them
moments --numerical_rank, stable_rank, rankme--> how many directions the layer uses
moments --batch_entropy--> whether it varies at all
moments with class sums --within_between_ratio, neural_collapse, simplex_deviation--> how tight and even its classes are
moments with class sums --cdnv, feature_dimensionality--> classes by pairs, and the dimensions of each
moments with class sums --label_alignment, alignment_rank--> how much of the labels lies in the leading directions
X, y --class_separation--> the share of cosine distance that lies between classes
moments, a probe --gradmax_values, geometric_complexity, tail_map, warm_start_risk--> what a map lacks, does and risks
heads of several tasks --head_fisher, task_diversity--> how far apart the tasks lie

All but `class_separation`, `nearest_centre_agreement`, `class_variances` and `head_fisher`, which are one pass over the
rows, need moments only (d x d), so that they stream.
"""

from diffred_core.geometry._classes import cdnv as cdnv
from diffred_core.geometry._classes import class_centres as class_centres
from diffred_core.geometry._classes import class_variances as class_variances
from diffred_core.geometry._classes import feature_dimensionality as feature_dimensionality
from diffred_core.geometry._collapse import NeuralCollapse as NeuralCollapse
from diffred_core.geometry._collapse import SimplexDeviation as SimplexDeviation
from diffred_core.geometry._collapse import nearest_centre_agreement as nearest_centre_agreement
from diffred_core.geometry._collapse import neural_collapse as neural_collapse
from diffred_core.geometry._collapse import simplex_deviation as simplex_deviation
from diffred_core.geometry._collapse import within_between_ratio as within_between_ratio
from diffred_core.geometry._diversity import head_fisher as head_fisher
from diffred_core.geometry._diversity import task_diversity as task_diversity
from diffred_core.geometry._entropy import batch_entropy as batch_entropy
from diffred_core.geometry._entropy import feature_entropy as feature_entropy
from diffred_core.geometry._labels import alignment_rank as alignment_rank
from diffred_core.geometry._labels import class_separation as class_separation
from diffred_core.geometry._labels import label_alignment as label_alignment
from diffred_core.geometry._maps import geometric_complexity as geometric_complexity
from diffred_core.geometry._maps import gradmax_values as gradmax_values
from diffred_core.geometry._maps import tail_map as tail_map
from diffred_core.geometry._maps import warm_start_risk as warm_start_risk
from diffred_core.geometry._rank import Spectrum as Spectrum
from diffred_core.geometry._rank import numerical_rank as numerical_rank
from diffred_core.geometry._rank import rankme as rankme
from diffred_core.geometry._rank import spectrum as spectrum
from diffred_core.geometry._rank import stable_rank as stable_rank
