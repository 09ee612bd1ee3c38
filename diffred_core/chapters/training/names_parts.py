"""Names of the pages on what a network can do without: weights, steepness, units, entropy, dimensions, directions."""

# lottery_ticket: curves by share of the weights left (column at), and numbers at some shares (recipe)
EARLY_ACCURACY, FINAL_ACCURACY, PRUNED = "early_accuracy", "final_accuracy", "accuracy_by_share"
LOOKS = {EARLY_ACCURACY: "early in training", FINAL_ACCURACY: "at the last step"}
TICKET, REDRAWN, RANDOM_MASK = "ticket", "same mask, other weights", "same weights, random mask"
WHOLE, MIDDLE, SPARSEST = "all weights", "about a fifth", "fewest weights"
MAGNITUDE, ONE_SHOT = "magnitude of probe weights, in rounds", "magnitude of probe weights, at once"
AS_ACCURATE = 0.01  # of a ticket and the whole network
MIDDLE_SHARE = 0.2

# geometric_complexity: by strength (column at), of what (recipe)
COMPLEXITY, NETWORK_ACCURACY, LOG_RATIO = "complexity", "network_accuracy", "log_ratio"
LINEAR_ERROR = "linear_error"
STRENGTHS = {
    "l2": "l2 penalty",
    "label_noise": "share of wrong labels",
    "learning_rate": "learning rate",
    "batch_size": "batch size",
}
ROUGH, MEDIUM, SMOOTH = "weak l2 (1e-4)", "medium l2 (1e-2)", "strong l2 (1)"
PROBE_L2 = {ROUGH: 1e-4, MEDIUM: 1e-2, SMOOTH: 1.0}  # in units of the mean variance of a feature
PROBE_COMPLEXITY, RETAINED = "probe_complexity", "retained"
RETAINED_SIZE = 64

# gradmax: by number of new units or step (column at)
GRADIENT, LOSS = "gradient_norm", "loss"
GRADMAX, RANDOM_UNITS = "GradMax", "random outgoing weights"
BOUND_ERROR, OF_BOUND, LOSS_SAVED = "bound_error", "share_of_bound", "loss_saved"
SOON, LATE = "a tenth of the steps", "all steps"
MOST_GRADIENT, LEAST_GRADIENT = "most gradient", "least gradient"

# trainability: by layer or number of layers (column at)
ENTROPY, DEPTH_ACCURACY, ABOVE_CHANCE = "batch_entropy", "accuracy_by_depth", "accuracy_above_chance"
THEORY_ERROR = "theory_error"
HE, TORCH, REGULARISED = "He weights", "weights of torch.nn.Linear", "the same, entropy in the loss"
DEEPEST = "deepest"
MOST_ENTROPY, LEAST_ENTROPY = "most entropy", "least entropy"
UNTRAINED = 0.05  # accuracy above chance up to which a network counts as untrained

# superposition: by 1 / density (column at)
DIMENSIONALITY, REPRESENTED, TOY_LOSS = "dimensionality", "represented", "toy_loss"
FALLING, ALIKE = "importance falls", "all alike"
DENSE, SPARSE = "dense", "sparse"
BEYOND, OVER_ALONE, FROM_POLYTOPE = "features_beyond_dimensions", "loss_over_that_alone", "distance_from_m_over_n"
CLASS_DIMENSIONS = "dimensions_per_class"
PROJECTION, MOST_DIMENSIONS = "random directions", "most that is possible"
EVEN_PROJECTION = "the same, features of unit spread"
NO_BASIS = 0.02  # in accuracy, between axes

# low_dimensional: by step (column at)
TRANSVERSE_NORM, MOVED, FLIPS, TRANSVERSE_SHARE = "transverse_norm", "moved", "flips", "transverse_share"
SUBSPACE_ACCURACY, DECAY_ERROR = "subspace_accuracy", "decay_error"
PLAIN, SMALL_START, DECAY = "plain", "first weights a tenth", "weight decay"
NOISE, DEEPER = "noise in training", "four hidden layers"
ZERO_START, RANDOM_START = "whole layer, from 0", "whole layer, from random weights"
FEW_FEATURES = "half as many features, from 0"
FEW_ROWS, UNREACHED = "few rows", "unreached_share"
START_COST, WHOLE_GAIN = "cost_of_random_start", "gain_of_whole_layer"
