"""Moments of features: one exact pass over the rows, then every CKA and every ridge probe without them.

With X centred: G = X'X, Q = (X*X)'(X*X), T = (X*X)'X, and the sums of the rows of every class. Memory is d x d,
never n x n; all totals are float64.
"""

from diffred_core.moments._cross import CrossMoments as CrossMoments
from diffred_core.moments._cross import accumulate_pair as accumulate_pair
from diffred_core.moments._cross import from_pair as from_pair
from diffred_core.moments._feature_moments import FeatureMoments as FeatureMoments
from diffred_core.moments._feature_moments import merge as merge
from diffred_core.moments._folds import FoldMoments as FoldMoments
from diffred_core.moments._folds import accumulate_folds as accumulate_folds
from diffred_core.moments._folds import fold_moments as fold_moments
from diffred_core.moments.accumulation import accumulate as accumulate
from diffred_core.moments.accumulation import accumulate_layers as accumulate_layers
from diffred_core.moments.accumulation import from_features as from_features
