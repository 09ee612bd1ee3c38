"""Linear probes on subsets of features and on layers: ridge, logistic and the published recipes, with one result type.

moments, subsets --fit_ridge, fit_ridge_prefixes, ridge_curve, ridge_loo--> no pass over rows, one factor a curve
X, y, subsets --fit_logistic, fit_sgd, fit_adamw, fit_ridge_rows--> LinearProbe --scores, predict, accuracy-->
several l2, validation rows --choose_l2, select_l2, choose_logistic--> the chosen probe of every subset
layers, targets, three splits --probe_layers, probe_layers_by_epoch--> test accuracy of every layer for every target
X, domains --proxy_a_distance--> how well a probe tells two domains apart
moments of source and target --fit_label_aligned--> a probe for a target without labels
task, network --published_recipe, published_tunnel_recipe--> name --sgd_recipe, tunnel_recipe--> recipe
"""

from diffred_core.linear_probe._aligned import AlignedSolver as AlignedSolver
from diffred_core.linear_probe._aligned import LabelAlignment as LabelAlignment
from diffred_core.linear_probe._aligned import fit_label_aligned as fit_label_aligned
from diffred_core.linear_probe._chosen import choose_logistic as choose_logistic
from diffred_core.linear_probe._curve import fit_ridge_prefixes as fit_ridge_prefixes
from diffred_core.linear_probe._curve import ridge_curve as ridge_curve
from diffred_core.linear_probe._curve import ridge_curve_predictions as ridge_curve_predictions
from diffred_core.linear_probe._curve import ridge_curve_scores as ridge_curve_scores
from diffred_core.linear_probe._curve import ridge_loo as ridge_loo
from diffred_core.linear_probe._domains import proxy_a_distance as proxy_a_distance
from diffred_core.linear_probe._epochs import EpochCurves as EpochCurves
from diffred_core.linear_probe._epochs import probe_layers_by_epoch as probe_layers_by_epoch
from diffred_core.linear_probe._layers import LAYER_L2 as LAYER_L2
from diffred_core.linear_probe._layers import LayerProbes as LayerProbes
from diffred_core.linear_probe._layers import probe_layers as probe_layers
from diffred_core.linear_probe._logistic import fit_logistic as fit_logistic
from diffred_core.linear_probe._probe import LinearProbe as LinearProbe
from diffred_core.linear_probe._published import PUBLISHED as PUBLISHED
from diffred_core.linear_probe._published import PUBLISHED_TUNNEL as PUBLISHED_TUNNEL
from diffred_core.linear_probe._published import published_recipe as published_recipe
from diffred_core.linear_probe._published import published_tunnel_recipe as published_tunnel_recipe
from diffred_core.linear_probe._published import sgd_recipe as sgd_recipe
from diffred_core.linear_probe._published import tunnel_recipe as tunnel_recipe
from diffred_core.linear_probe._recipes import AdamWRecipe as AdamWRecipe
from diffred_core.linear_probe._recipes import SGDRecipe as SGDRecipe
from diffred_core.linear_probe._recipes import recipe_trace as recipe_trace
from diffred_core.linear_probe._ridge import fit_ridge as fit_ridge
from diffred_core.linear_probe._ridge import fit_ridge_rows as fit_ridge_rows
from diffred_core.linear_probe._select import L2Choice as L2Choice
from diffred_core.linear_probe._select import choose_l2 as choose_l2
from diffred_core.linear_probe._select import ridge_cross_validation as ridge_cross_validation
from diffred_core.linear_probe._select import select_l2 as select_l2
from diffred_core.linear_probe._sgd import fit_adamw as fit_adamw
from diffred_core.linear_probe._sgd import fit_sgd as fit_sgd
