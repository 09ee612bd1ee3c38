"""How published checkpoints nest and name their tensors, and where they are to be had: tables, no code of a family."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

WRAPPERS = ("state_dict_ema", "state_dict", "model_state_dict", "model", "teacher")
"""Under which entry of a training checkpoint the weights are; DINO's own features are those of its teacher."""

PREFIXES = {
    "": "plain",
    "module.": "data-parallel training; RAIVNLab/MRL, SwAV",
    "module.model.": "microsoft/robust-models-transfer, beside its normaliser and the attacker's copy",
    "module.encoder_q.": "MoCo v1 and v2, beside the momentum encoder and the queue",
    "module.base_encoder.": "MoCo v3, beside the momentum encoder and the predictor",
    "backbone.": "the teacher of DINO, beside its head",
    "module.backbone.": "the same in data-parallel training; Barlow Twins, VICReg",
    "_orig_mod.": "torch.compile",
    "model.": "Lightning modules",
}
"""What stands before the names of the network itself, and in whose files."""

HEADS = ("projection_head.", "prototypes.")
"""Heads that stand beside the network under the same prefix (SwAV): no part of its features."""

SOURCES = {
    "*_l2_eps*": "microsoft/robust-models-transfer",
    "*_linf_eps*": "microsoft/robust-models-transfer",
    "r50_mrl*": "RAIVNLab/MRL",
    "dino_*": "facebookresearch/dino",
    "moco_*": "facebookresearch/moco",
    "swav_*": "facebookresearch/swav",
}
"""Patterns of the names of published files, and the repositories that link to them."""


def whereabouts(path: Path) -> str:
    """Return where a file of that name is to be had and where to put it, as the end of a sentence."""
    for pattern, repository in SOURCES.items():
        if fnmatch(path.name, pattern):
            return f"github.com/{repository} links to a file of such a name: download it and put it there"
    return "check the path, or put the file of its authors there"


def renamed(state: Mapping[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """Return the tensors of `state` under the prefix that fits most of the `wanted` names, without it.

    What stands under other prefixes (copies, momentum encoders, queues) and `HEADS` is left out.
    """
    prefix = max(PREFIXES, key=lambda one: sum(f"{one}{name}" in state for name in wanted))
    own = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    return {name: tensor for name, tensor in own.items() if name in wanted or not name.startswith(HEADS)}


class BlurPool(nn.Module):
    """A strided convolution behind a binomial filter of 3 x 3, as in the networks of Matryoshka representations.

    Zhang 2019 (arXiv 1904.11486) in the form of RAIVNLab/MRL, whose checkpoints carry the filters.
    """

    blur_filter: Tensor

    def __init__(self, conv: nn.Conv2d, blur_filter: Tensor) -> None:
        super().__init__()
        self.conv = conv
        self.register_buffer("blur_filter", blur_filter.clone())

    def forward(self, maps: Tensor) -> Tensor:
        """Return the convolution of the blurred maps."""
        blurred = functional.conv2d(maps, self.blur_filter, padding=1, groups=self.conv.in_channels)
        output: Tensor = self.conv(blurred)
        return output


def blur_as(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put a blur before every convolution of `module` for which `state` holds the filter."""
    convolutions = {name: one for name, one in module.named_modules() if isinstance(one, nn.Conv2d)}
    for key, tensor in state.items():
        name = key.removesuffix(".blur_filter")
        if name != key and name in convolutions:
            module.set_submodule(name, BlurPool(convolutions[name], tensor))
