"""The recipes of the published probes, each by a name, and the rule by which a task and a network get one of them."""

from __future__ import annotations

import math
import re

from diffred_core.errors import InputError, near_names
from diffred_core.linear_probe._recipes import AdamWRecipe, SGDRecipe

PUBLISHED: dict[str, SGDRecipe] = {
    "cifar": SGDRecipe(50, 10, 256, 5e-4),
    "cifar_long": SGDRecipe(100, 20, 256, 5e-4),
    "cifar_regularised": SGDRecipe(20, 3, 1024, 5e-4),
    "flowers_pets": SGDRecipe(50, 10, 256, 1e-4),
    "flowers_pets_long": SGDRecipe(100, 20, 256, 1e-4),
    "flowers_pets_regularised": SGDRecipe(20, 3, 1024, 1e-4),
    "imagenet": SGDRecipe(25, 5, 512, 1e-4),
    "imagenet_resnet50": SGDRecipe(10, 1, 512, 1e-4),
    "places": SGDRecipe(50, 10, 1024, 5e-4),
    "places_resnet50": SGDRecipe(50, 5, 1024, 5e-4),
}
"""Recipes of Nanda et al. (2023) by task, from their released scripts (nvedant07/diffused-redundancy).

``_long``: the ImageNet ResNet50 of the main figures and the ViT of ImageNet-21k, twice as long as all other networks.
``_regularised``: the networks pre-trained with dropout or DeCov.
"""

PUBLISHED_TUNNEL: dict[str, AdamWRecipe] = {
    "cnn": AdamWRecipe(),
    "vit": AdamWRecipe(lr=1e-2, weight_decay=1e-4, batch_size=512),
    "pretrained": AdamWRecipe(lr=5e-4, batch_size=512),
    "pretrained_swav_convnext": AdamWRecipe(lr=3e-5, batch_size=512),
}
"""Recipes of Harun et al. (2024, sec. A.8) by network: their own VGG and ResNet, their own ViT, and pre-trained ones.

The accuracy they report is the best on the test rows over the epochs, see `probe_layers_by_epoch`.
"""

# training rows of each published task, validation rows held out of them
TRAINING_ROWS: dict[str, dict[str, int]] = {
    "cifar": {"torchvision:CIFAR10": 45_000, "torchvision:CIFAR100": 45_000},
    "flowers_pets": {"torchvision:Flowers102": 1_020, "torchvision:OxfordIIITPet": 3_312},
    "imagenet": {"torchvision:ImageNet": 1_153_050},
    "places": {"torchvision:Places365": 1_623_114},
}

OWN_RECIPE = re.compile(r"(\d+)/(\d+)/(\d+)/(\d*\.?\d+(?:[eE]-?\d+)?)")
_RESNET50 = re.compile(r"(?<![a-z0-9])(?<!wide_)resnet50(?![a-z0-9])")
_VIT_IN21K = re.compile(r"(?<![a-z0-9])vit_\w+\.\w*in21k$")
_MATRYOSHKA = re.compile(r"mrl|(?<![a-z0-9])ff\d")


def published_recipe(task: str, model: str, *, n_train: int) -> str:
    """Return the name in `PUBLISHED` of the recipe that Nanda et al. (2023) gave a task and a network.

    A published task, whether its images are corrupted or not, has its own. A task that the paper lacks gets that of the
    published task whose number of training rows is the nearest to its own, by their ratio: epochs and batch then make
    about as many steps as were published. Of networks only these have another recipe than all others: ResNet50 and
    ViTs of ImageNet-21k run twice as long (ResNet50 on ImageNet and Places: a recipe of its own); those of dropout and
    DeCov 20 epochs. The ResNet50 of the Matryoshka study is among the others. Networks are told by their names.

    Differs from the paper: a curve has one recipe. The published ResNet50 curves mix the long one (the full layer and
    the fractions of the main figures) with the short one (the fractions added later); all get the long one here. The
    full layer of ResNet50 on Places was trained 100 epochs, its subsets 50; all get 50 here.

    Parameters
    ----------
    task, model : str
        As in the columns of a results table.
    n_train : int
        Training rows.
    """
    network = _network(model.lower().removesuffix(".safetensors"))
    base = _of_task(task.partition("+")[0], n_train)
    if base in ("imagenet", "places"):
        return f"{base}_resnet50" if network == "resnet50" else base
    suffix = {"resnet50": "_long", "vit_in21k": "_long", "regularised": "_regularised"}.get(network, "")
    return base + suffix


def published_tunnel_recipe(model: str) -> str:
    """Return the name in `PUBLISHED_TUNNEL` of the recipe that Harun et al. (2024) gave pre-trained networks.

    ConvNeXts and the ResNet50 of SwAV have one, ResNets and ViTs another, which other families get too. ``cnn`` and
    ``vit`` are of networks that were trained from nothing on small images.

    Parameters
    ----------
    model : str
        As in the column of a results table: families are told by their names.
    """
    name = model.lower()
    return "pretrained_swav_convnext" if "convnext" in name or "swav" in name else "pretrained"


def sgd_recipe(name: str) -> SGDRecipe:
    """Return the recipe of a name in `PUBLISHED`, or one of your own.

    Parameters
    ----------
    name : str
        As `published_recipe` returns it; or EPOCHS/STEP/BATCH/DECAY, such as ``100/20/256/5e-4``: epochs, epochs after
        which the learning rate drops to a tenth each time, batch size and weight decay.

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> sgd_recipe("100/20/256/5e-4") == PUBLISHED["cifar_long"]
    True
    """
    if match := OWN_RECIPE.fullmatch(name):
        epochs, step, batch, decay = match.groups()
        return SGDRecipe(int(epochs), int(step), int(batch), float(decay))
    if name not in PUBLISHED:
        raise InputError(
            f"expected a recipe of {', '.join(PUBLISHED)}, or epochs/step/batch/decay such as 100/20/256/5e-4, got "
            f"{name!r}{near_names(name, PUBLISHED)}; None takes that of the task and the network"
        )
    return PUBLISHED[name]


def tunnel_recipe(name: str) -> AdamWRecipe:
    """Return the recipe of a name in `PUBLISHED_TUNNEL`.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in PUBLISHED_TUNNEL:
        raise InputError(
            f"expected a recipe of {', '.join(PUBLISHED_TUNNEL)}, got {name!r}{near_names(name, PUBLISHED_TUNNEL)}; "
            "None takes that of the network"
        )
    return PUBLISHED_TUNNEL[name]


def _of_task(task: str, n_train: int) -> str:
    """Return the stem of a recipe's name: of the task itself, or of the published task of the nearest size."""
    rows = {(base, name): n for base, sets in TRAINING_ROWS.items() for name, n in sets.items()}
    own = next((base for base, name in rows if name == task), None)
    return own or min(rows, key=lambda key: abs(math.log(rows[key] / n_train)))[0]


def _network(name: str) -> str:
    """Return the kind of a network with a recipe of its own, else ``other``."""
    if "dropout" in name or "decov" in name:
        return "regularised"
    if _MATRYOSHKA.search(name):
        return "other"
    if _RESNET50.search(name):
        return "resnet50"
    return "vit_in21k" if _VIT_IN21K.search(name.partition("@")[0]) else "other"
