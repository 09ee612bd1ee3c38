from . import claims as claims
from . import claims_networks as claims_networks
from . import figures as figures
from .reading import by_layer as by_layer
from .sweep_layers import layers as layers
from .sweep_networks import tunnel_small_networks as tunnel_small_networks
