"""Names of the pages on what is learned first."""

RESIDUAL, HALF_TIME = "residual", "half_time"  # curves, of principal directions
HALF_TIME_ORDER, DEVIATION, SLOWDOWN = "half_time_order", "deviation", "slowdown"
LEADING, TRAILING = "leading directions", "trailing directions"  # rules of the bridge: principal directions
STOPPED = "probe stopped early"  # by the number of directions in use

# settings: networks
ONE_LAYER, NARROW, WIDE = "one linear layer", "deep linear, narrow", "deep linear, wide"
RELU = "deep with ReLU"
ORDERED = 0.7  # rank correlation from which an order is said to be followed: half of the variance of the ranks
RANK = 1e-8  # of the largest singular value: what is smaller is rounding

# silent alignment: labels of the curve COURSE, numbers a seed, and a rule of the bridge
COURSE = "course"
LOSS, ALIGNMENT = "loss (share of the first)", "alignment of the kernel"
KERNEL = "size of the kernel (share of the last)"
SHARE_BEFORE, ALIGNMENT_END, KERNEL_REGRESSION = "share_before", "alignment_end", "kernel_regression"
SMALL_WHITE, LARGE_WHITE = "whitened, small weights", "whitened, large weights"
SMALL_PLAIN = "as they are, small weights"
LABEL_FIRST = "label directions, then leading ones"

# linear teachers: starts (labels), numbers, and rules of the bridge
RISK, RISK_BEFORE, RISK_RATIO = "risk", "risk_before", "risk_ratio"
FORMULA_ERROR, TELLS = "error_of_formula", "tells_risk"
FROM_NOTHING = "start at nothing"
FROM_LEADING, FROM_RANDOM = "differs in leading directions", "differs in random directions"
FROM_TRAILING = "differs in trailing directions"
WEIGHTED_DISTANCE, PLAIN_DISTANCE = "difference weighted by covariance", "length of the difference"
WEIGHTED, PLAIN = "weight times deviation", "weight alone"

# gated networks: starts (recipes), curves and labels, rules of the bridge
ALIGNED, RANDOM_SMALL, RANDOM_LARGE = "aligned weights", "small random weights", "large random weights"
MODE, ROUTE_ERROR, REDUCTION_ERROR = "mode", "route_error", "reduction_error"
ROUTE_ERROR_END, ROUTE_ERROR_FEWEST = "route_error_end", "route_error_fewest"  # of the most and the fewest routes
TRAINED, UNTRAINED = "trained routes", "routes never trained"
FOR_OTHERS, FOR_ITSELF = "chosen for the other classes", "chosen for these classes"

# lazy or hasty: settings (recipes), labels, numbers, and groups of rows of the bridge
MODEL_HASTY, MODEL_LAZY = "model, small alpha", "model, large alpha"
HASTY, LAZY = "network as it is", "network linearised"
PROGRESS, GROUP_ACCURACY, MODEL_GAP, GROUP_GAP, MOVED = "progress", "group_accuracy", "model_gap", "group_gap", "moved"
EASY, HARD = "mode with a strong target", "mode with a weak target"
TRUE, WRONG = "true labels", "wrong labels"
EASY_ROWS, HARD_ROWS, KEPT = "easy rows", "hard rows", "accuracy_kept"

# spectral bias: networks (recipes), curve, and rules of the bridge
CIRCLE_NARROW, CIRCLE_WIDE = "two layers on a circle, narrow", "two layers on a circle, wide"
DEEP_EQUAL = "deep, equal amplitudes"
DEEP_GROWING = "deep, amplitudes grow with frequency"
AMPLITUDE, FREQUENCY_ORDER = "amplitude", "order"
SMOOTH, ROUGH = "smooth features", "rough features"
