"""Few-shot episodes: accuracy at every number of kept features, linear heads, and the theory of two Gaussian classes.

y --sample_episodes--> Episodes                              row indices, drawn once, shared by all that is compared
X, episodes, order, sizes --centroid_curve, linear_head_curve--> accuracy (n_episodes, n_sizes), in one pass
gap, spread, n_shot --error_given_prototypes, approximate_error, helps, harm, optimal_mask--> what to expect
gap, spread, n_shot, seed --simulated_errors, averaged_errors--> what draws give
"""

from diffred_core.few_shot._centroid import centroid_curve as centroid_curve
from diffred_core.few_shot._episodes import Episodes as Episodes
from diffred_core.few_shot._episodes import sample_episodes as sample_episodes
from diffred_core.few_shot._heads import linear_head_curve as linear_head_curve
from diffred_core.few_shot._theory import approximate_error as approximate_error
from diffred_core.few_shot._theory import averaged_errors as averaged_errors
from diffred_core.few_shot._theory import error_given_prototypes as error_given_prototypes
from diffred_core.few_shot._theory import gaussian_classes as gaussian_classes
from diffred_core.few_shot._theory import gaussian_problem as gaussian_problem
from diffred_core.few_shot._theory import harm as harm
from diffred_core.few_shot._theory import helps as helps
from diffred_core.few_shot._theory import optimal_mask as optimal_mask
from diffred_core.few_shot._theory import simulated_errors as simulated_errors
from diffred_core.few_shot._theory import statistic_moments as statistic_moments
