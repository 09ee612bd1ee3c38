"""Linear probes on subsets of features: ridge, logistic and the published SGD recipe, with one result type.

moments, subsets --fit_ridge, ridge_curve, ridge_loo--> no pass over rows, every prefix from one factor
X, y, subsets --fit_logistic, fit_sgd--> LinearProbe --scores, predict, accuracy-->
"""

from diffred_core.linear_probe._curve import ridge_curve as ridge_curve
from diffred_core.linear_probe._curve import ridge_curve_predictions as ridge_curve_predictions
from diffred_core.linear_probe._curve import ridge_curve_scores as ridge_curve_scores
from diffred_core.linear_probe._logistic import fit_logistic as fit_logistic
from diffred_core.linear_probe._loo import ridge_loo as ridge_loo
from diffred_core.linear_probe._probe import LinearProbe as LinearProbe
from diffred_core.linear_probe._ridge import fit_ridge as fit_ridge
