"""The shape of a layer: its rank, how far its classes have collapsed, where its labels lie in its spectrum.

moments --numerical_rank, stable_rank, rankme--> how many directions the layer uses
moments with class sums --within_between_ratio, neural_collapse, simplex_deviation--> how tight and even its classes are
moments with class sums --label_alignment, alignment_rank--> how much of the labels lies in the leading directions
X, y --class_separation--> the share of cosine distance that lies between classes

All but `class_separation` and `nearest_centre_agreement` need moments only (d x d), so that they stream.
"""

from diffred_core.geometry._collapse import NeuralCollapse as NeuralCollapse
from diffred_core.geometry._collapse import SimplexDeviation as SimplexDeviation
from diffred_core.geometry._collapse import nearest_centre_agreement as nearest_centre_agreement
from diffred_core.geometry._collapse import neural_collapse as neural_collapse
from diffred_core.geometry._collapse import simplex_deviation as simplex_deviation
from diffred_core.geometry._collapse import within_between_ratio as within_between_ratio
from diffred_core.geometry._labels import alignment_rank as alignment_rank
from diffred_core.geometry._labels import class_separation as class_separation
from diffred_core.geometry._labels import label_alignment as label_alignment
from diffred_core.geometry._rank import numerical_rank as numerical_rank
from diffred_core.geometry._rank import rankme as rankme
from diffred_core.geometry._rank import stable_rank as stable_rank
