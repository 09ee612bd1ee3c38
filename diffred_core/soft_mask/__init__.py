"""Which dimensions tell the classes apart, and masks that weigh the features by it.

The published soft mask (Luo et al. 2023, arXiv 2310.03843; called AFIA in its second version) is known from its
abstract only: "adjust feature magnitude with a soft mask based on estimated feature importance". The masks here are
reconstructions and named as such; the importance is the pair statistic that the same group's code uses (Luo et al.
2022, arXiv 2206.08126).

X, y or episodes --class_statistics, episode_statistics, oracle_statistics--> ClassStatistics
ClassStatistics --importance--> R (..., n_features) --mask--> weights (..., n_features), for one task or for thousands
"""

from diffred_core.soft_mask._mask import ImportanceKind as ImportanceKind
from diffred_core.soft_mask._mask import MaskKind as MaskKind
from diffred_core.soft_mask._mask import importance as importance
from diffred_core.soft_mask._mask import mask as mask
from diffred_core.soft_mask._mask import simple_transform as simple_transform
from diffred_core.soft_mask._statistics import ClassStatistics as ClassStatistics
from diffred_core.soft_mask._statistics import class_statistics as class_statistics
from diffred_core.soft_mask._statistics import episode_statistics as episode_statistics
from diffred_core.soft_mask._statistics import oracle_statistics as oracle_statistics
