"""Names of the pages on what is learned first."""

RESIDUAL, HALF_TIME = "residual", "half_time"  # curves, of principal directions
HALF_TIME_ORDER, DEVIATION, SLOWDOWN = "half_time_order", "deviation", "slowdown"
LEADING, TRAILING = "leading directions", "trailing directions"  # rules of the bridge: principal directions
STOPPED = "probe stopped early"  # by the number of directions in use

# settings: networks
ONE_LAYER, NARROW, WIDE = "one linear layer", "deep linear, narrow", "deep linear, wide"
RELU = "deep with ReLU"
ORDERED = 0.7  # rank correlation from which an order is said to be followed: half of the variance of the ranks
