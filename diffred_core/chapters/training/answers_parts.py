"""What the pages on what a network can do without found: sentences for the values of their claims."""

from __future__ import annotations

FINDINGS: dict[str, str] = {
    "lottery_ticket": (
        "With the fewest weights a ticket ends {final:+.3f} in accuracy from the same mask with other first "
        "weights, and is {early:+.3f} from it early on; a ticket with about a fifth of the weights is "
        "{fifth:+.3f} from the whole network. On the layer, a probe on 16 dimensions that its own weights choose in "
        "rounds is {bridge:+.3f} from one on 16 random ones."
    ),
    "geometric_complexity": (
        "From the least to the greatest strength the logarithm of complexity changes by {l2:+.2f} with an l2 "
        "penalty, {label_noise:+.2f} with wrong labels, {learning_rate:+.2f} with the learning rate and "
        "{batch_size:+.2f} with the batch size. On the layer, a smooth probe keeps {bridge:+.3f} more of its "
        "accuracy on 64 random dimensions than a rough one does."
    ),
    "gradmax": (
        "The gradient of new units meets its bound to {exact:.0e}; random outgoing weights get {random:.2f} of "
        "it. The loss that GradMax saves is {soon:+.3f} of the first one after a tenth of the steps, and "
        "{late:+.3f} after all. On the layer, a probe on the 16 dimensions of most gradient is {bridge:+.3f} in "
        "accuracy from one on 16 random ones, and on those of least gradient {least:+.3f}."
    ),
    "trainability": (
        "The deepest networks with the default weights of a linear layer stay {dead:+.3f} from chance, with He "
        "weights they are {alive:+.3f} above it, and with batch entropy in the loss {saved:+.3f} above what they "
        "were. On the layer, a probe on the 16 dimensions of most entropy is {bridge:+.3f} in accuracy from one on "
        "16 random ones, and on those of least entropy {least:+.3f}."
    ),
    "superposition": (
        "Dense features take the dimensions alone ({dense:+.1f} beyond them), rare ones share them ({sparse:+.1f} "
        "beyond), at corners of a polytope to {polytope:.3f}. On the layer, a probe on 16 random directions is "
        "{bridge:+.3f} in accuracy from one on 16 random dimensions, and {even:+.3f} once they have one spread; a "
        "class mean has {classes:+.2f} dimensions more to itself."
    ),
    "low_dimensional": (
        "Off the data weights move by {moved:g}. Of the classes that transverse noise flips, smaller first "
        "weights change the share by {small:+.3f}, weight decay by {decayed:+.3f}, noise in training by "
        "{noise:+.3f}, and more layers by {deeper:+.3f}. On the layer with few rows, a probe from random weights "
        "loses {start:.3f} in accuracy to one from 0, which is {whole:+.3f} from one on half as many random "
        "dimensions as rows."
    ),
}
