from . import claims as claims
from . import figures as figures
from . import names as names
from . import tables as tables
from .reading import by_layer as by_layer
from .recipes import recipe_traces as recipe_traces
from .sweep_layers import layers as layers
from .sweep_networks import small_networks as small_networks
