"""Linear probes on subsets of features: ridge, logistic and the published SGD recipe, with one result type.

moments, subsets --fit_ridge, ridge_curve, ridge_loo--> no pass over rows, every prefix from one factor
X, y, subsets --fit_logistic, fit_sgd, fit_ridge_rows--> LinearProbe --scores, predict, accuracy-->
several l2, validation rows --choose_l2, select_l2--> the chosen probe of every subset
"""

from diffred_core.linear_probe._curve import ridge_curve as ridge_curve
from diffred_core.linear_probe._curve import ridge_curve_predictions as ridge_curve_predictions
from diffred_core.linear_probe._curve import ridge_curve_scores as ridge_curve_scores
from diffred_core.linear_probe._logistic import fit_logistic as fit_logistic
from diffred_core.linear_probe._loo import ridge_loo as ridge_loo
from diffred_core.linear_probe._probe import LinearProbe as LinearProbe
from diffred_core.linear_probe._ridge import fit_ridge as fit_ridge
from diffred_core.linear_probe._rows import fit_ridge_rows as fit_ridge_rows
from diffred_core.linear_probe._select import Selection as Selection
from diffred_core.linear_probe._select import choose_l2 as choose_l2
from diffred_core.linear_probe._select import ridge_cross_validation as ridge_cross_validation
from diffred_core.linear_probe._select import select_l2 as select_l2
from diffred_core.linear_probe._sgd import PUBLISHED as PUBLISHED
from diffred_core.linear_probe._sgd import SGDRecipe as SGDRecipe
from diffred_core.linear_probe._sgd import fit_sgd as fit_sgd
