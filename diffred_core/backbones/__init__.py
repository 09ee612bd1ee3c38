"""Frozen networks: the three that packages carry, every timm model, local checkpoints, and any network of yours."""

from diffred_core.errors import needs

with needs("images"):
    from diffred_core.backbones._backbone import Backbone as Backbone
    from diffred_core.backbones._backbone import Headed as Headed
    from diffred_core.backbones._backbone import digest as digest
    from diffred_core.backbones._backbone import from_module as from_module
    from diffred_core.backbones._backbone import normalised as normalised
    from diffred_core.backbones._load import embedded as embedded
    from diffred_core.backbones._load import load as load
    from diffred_core.backbones._load import packaged_weights as packaged_weights
    from diffred_core.backbones._transform import Transform as Transform
    from diffred_core.backbones._transform import to_tensor as to_tensor
