"""Small networks trained here, in seconds to minutes on one core each, and kept like every other result.

Names of tasks --read_tasks--> `Images` in memory: pixels, labels, splits; `of_classes` makes tasks of some classes
Images, Architecture, TrainingRecipe, seed --train--> weights; the same ones to the last bit on however many cores
Images, architectures, seeds --networks--> trained side by side or read back, each a `Backbone` like any other
Features of two domains, labels of one --fit_domain_head--> a head that does not tell the domains apart
Backbone, pixels --convolution_features--> one matrix a convolution, in one pass

Where a layer is read: a convolution's own output, before batch norm and ReLU, as the released extractor of
Harun et al. (2024) does for VGG; its maps are pooled to 2 x 2.
"""

from diffred_core.errors import needs

with needs("images"):
    from diffred_core.small_networks._cache import Network as Network
    from diffred_core.small_networks._cache import networks as networks
    from diffred_core.small_networks._domain_head import DomainHead as DomainHead
    from diffred_core.small_networks._domain_head import HeadRecipe as HeadRecipe
    from diffred_core.small_networks._domain_head import fit_domain_head as fit_domain_head
    from diffred_core.small_networks._images import Images as Images
    from diffred_core.small_networks._images import read_tasks as read_tasks
    from diffred_core.small_networks._layers import convolution_features as convolution_features
    from diffred_core.small_networks._train import SHORT as SHORT
    from diffred_core.small_networks._train import TrainingRecipe as TrainingRecipe
    from diffred_core.small_networks._train import train as train
    from diffred_core.small_networks._vgg import DEPTHS as DEPTHS
    from diffred_core.small_networks._vgg import VGG as VGG
    from diffred_core.small_networks._vgg import Architecture as Architecture
