"""Small networks trained here, in seconds to minutes on one core each, and kept like every other result.

Names of tasks --read_tasks--> `Images` in memory: pixels, labels, splits; `of_classes` makes tasks of some classes
Architecture (VGG, ResNet or ViT), TrainingRecipe and its TrainingObjective (loss and regularisers), by name or by parts
Images, Architecture, TrainingRecipe, seed --train--> weights; the same ones to the last bit on however many cores, and
after an interruption at any epoch
Images, architectures, seeds --networks--> trained side by side or read back, each a `Backbone` like any other
Features of two domains, labels of one --fit_domain_head--> a head that does not tell the domains apart
Backbone, pixels --convolution_features, block_features--> one matrix a convolution or block, in one pass

Where a layer is read: a convolution's own output, before batch norm and ReLU, as the released extractor of
Harun et al. (2024) does for VGG; its maps are pooled to 2 x 2.
"""

from diffred_core.errors import needs

with needs("images"):
    from diffred_core.small_networks._cache import Network as Network
    from diffred_core.small_networks._cache import by_one_thread_each as by_one_thread_each
    from diffred_core.small_networks._cache import networks as networks
    from diffred_core.small_networks._domain_head import DomainHead as DomainHead
    from diffred_core.small_networks._domain_head import HeadRecipe as HeadRecipe
    from diffred_core.small_networks._domain_head import fit_domain_head as fit_domain_head
    from diffred_core.small_networks._heads import prefix_sizes as prefix_sizes
    from diffred_core.small_networks._images import Images as Images
    from diffred_core.small_networks._images import check_one_size as check_one_size
    from diffred_core.small_networks._images import read_tasks as read_tasks
    from diffred_core.small_networks._layers import block_features as block_features
    from diffred_core.small_networks._layers import convolution_features as convolution_features
    from diffred_core.small_networks._losses import LOSSES as LOSSES
    from diffred_core.small_networks._network import Architecture as Architecture
    from diffred_core.small_networks._network import SmallNetwork as SmallNetwork
    from diffred_core.small_networks._objective import STRENGTHS as STRENGTHS
    from diffred_core.small_networks._objective import TrainingObjective as TrainingObjective
    from diffred_core.small_networks._objective import adversarial_pixels as adversarial_pixels
    from diffred_core.small_networks._train import SHORT as SHORT
    from diffred_core.small_networks._train import TrainingRecipe as TrainingRecipe
    from diffred_core.small_networks._train import train as train
    from diffred_core.small_networks._trunks import FAMILIES as FAMILIES
