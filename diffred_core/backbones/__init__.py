"""Frozen networks: the three that packages carry, timm, torchvision, checkpoints, and any network of yours."""

from diffred_core.errors import needs

with needs("images"):
    from diffred_core.backbones._backbone import Backbone as Backbone
    from diffred_core.backbones._backbone import Headed as Headed
    from diffred_core.backbones._backbone import channel_constants as channel_constants
    from diffred_core.backbones._backbone import digest as digest
    from diffred_core.backbones._backbone import from_module as from_module
    from diffred_core.backbones._backbone import normalised as normalised
    from diffred_core.backbones._checkpoint import check_checkpoint as check_checkpoint
    from diffred_core.backbones._factory import source_digest as source_digest
    from diffred_core.backbones._load import check_model_args as check_model_args
    from diffred_core.backbones._load import load as load
    from diffred_core.backbones._packaged import embedded as embedded
    from diffred_core.backbones._packaged import packaged_weights as packaged_weights
    from diffred_core.backbones._transform import CentreCrop as CentreCrop
    from diffred_core.backbones._transform import Transform as Transform
    from diffred_core.backbones._transform import check_preprocessing as check_preprocessing
    from diffred_core.backbones._transform import to_tensor as to_tensor
    from diffred_core.backbones._untrained import untrained as untrained
