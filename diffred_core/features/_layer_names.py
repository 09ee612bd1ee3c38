"""Which layers a network has, in the order in which it runs them: not the order in which it registers them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from diffred_core.backbones import Backbone
from diffred_core.errors import InputError, near_names
from diffred_core.features._layers import PENULTIMATE, check_layers, module_names, split_call

Layers = str | Sequence[str]


def layer_names(backbone: Backbone, layers: Layers = "blocks") -> tuple[str, ...]:
    """Return the names of layers in the order in which one forward pass completes them.

    Parameters
    ----------
    backbone : Backbone
    layers : str or sequence of str
        ``"blocks"``: every residual, inverted-residual or transformer block, as timm groups its parameters; of a
        network that timm does not know, the outermost modules with parts of their own among those that an
        `nn.Sequential` runs; the stages where a network has none (VGG). ``"stages"``: the modules of timm's
        ``feature_info``.
        ``"convolutions"``: every `Conv2d`, those of shortcuts and gates among them. These end with
        ``"penultimate"``. Or names of modules, and patterns of them such as ``"layer*.conv?"``.

    Returns
    -------
    tuple of str
        Modules that run several times appear once for each time: ``name``, ``name#2``, ...

    Raises
    ------
    InputError
        If a name is unknown, a pattern fits none, a named layer does not run, or fewer than two layers are left.
    """
    order = run_order(backbone)
    if isinstance(layers, str):
        if layers not in KINDS:
            raise InputError(
                f"expected layers to be one of {', '.join(KINDS)} or a list of names, got {layers!r}"
                f"{near_names(layers, KINDS)}"
            )
        modules = KINDS[layers](backbone, [split_call(layer)[0] for layer in order])
        chosen = {layer for layer in order if split_call(layer)[0] in modules} | {PENULTIMATE}
    else:
        chosen = _named(backbone, layers, order)
    if len(chosen) < 2:
        raise InputError(
            f"expected at least 2 layers of {backbone.name!r} to compare, got {', '.join(chosen) or 'none'}; name more"
        )
    return tuple(layer for layer in (*order, PENULTIMATE) if layer in chosen)


@torch.inference_mode()
def run_order(backbone: Backbone) -> list[str]:
    """Return every module that runs, ``name#2`` for its second run, in the order of completion on a blank image."""
    order: list[str] = []
    runs: Counter[str] = Counter()

    def recorder(name: str) -> Callable[..., None]:
        def hook(_module, _inputs, _output) -> None:
            runs[name] += 1
            order.append(name if runs[name] == 1 else f"{name}#{runs[name]}")

        return hook

    handles = [module.register_forward_hook(recorder(name)) for name, module in backbone.module.named_modules() if name]
    try:
        backbone.features(_blank(backbone))
    finally:
        for handle in handles:
            handle.remove()
    return order


def _blank(backbone: Backbone) -> Tensor:
    like = next(backbone.module.parameters())
    return torch.zeros(1, 3, backbone.input_size, backbone.input_size, device=like.device, dtype=like.dtype)


def _blocks(backbone: Backbone, names: Sequence[str]) -> set[str]:
    patterns = _group_patterns(backbone.module)
    blocks = {name for name in names if any(re.fullmatch(pattern, name) for pattern in patterns)}
    # A bare operation (VGG's features.3) is no block.
    blocks = {name for name in blocks if any(True for _ in backbone.module.get_submodule(name).children())}
    return blocks or _in_sequence(backbone.module, names) or _stages(backbone, names)


def _in_sequence(module: nn.Module, names: Sequence[str]) -> set[str]:
    """Return the outermost composite modules of a network that timm does not know, such as ``layer1.0``."""
    if hasattr(module, "feature_info"):
        return set()
    inside = {name for name in names if "." in name and isinstance(_parent(module, name), nn.Sequential)}
    composite = {name for name in inside if any(True for _ in module.get_submodule(name).children())}
    return {name for name in composite if not any(name.startswith(f"{other}.") for other in composite)}


def _parent(module: nn.Module, name: str) -> nn.Module:
    return module.get_submodule(name.rpartition(".")[0])


def _group_patterns(module: nn.Module) -> list[str]:
    """Return the patterns of block names by which timm groups the parameters of `module` for layer-wise rates.

    A group of one module, such as the last norm, has a pattern without a number: it is no block; a group that
    another joins (``None`` is timm's word for one that stands alone) is none either.
    """
    matcher = getattr(module, "group_matcher", None)
    groups = matcher(coarse=False) if matcher is not None else None
    blocks = groups.get("blocks", ()) if isinstance(groups, dict) else ()
    blocks = [(blocks, None)] if isinstance(blocks, str) else blocks
    return [pattern.removeprefix("^") for pattern, joins in blocks if joins is None and "(" in pattern]


def _stages(backbone: Backbone, _names: Sequence[str]) -> set[str]:
    info = getattr(backbone.module, "feature_info", None) or ()
    stages = {entry["module"] for entry in info if isinstance(entry, dict)} & set(module_names(backbone))
    if not stages:
        raise InputError(
            f"expected blocks or stages of {backbone.name!r} as timm describes them, found none; take "
            "layers='convolutions' or name the layers"
        )
    return stages


def _convolutions(backbone: Backbone, names: Sequence[str]) -> set[str]:
    return {name for name in names if isinstance(backbone.module.get_submodule(name), nn.Conv2d)}


KINDS: dict[str, Callable[[Backbone, Sequence[str]], set[str]]] = {
    "blocks": _blocks,
    "stages": _stages,
    "convolutions": _convolutions,
}


def _named(backbone: Backbone, layers: Sequence[str], order: Sequence[str]) -> set[str]:
    if not isinstance(layers, Sequence) or not all(isinstance(layer, str) for layer in layers):
        raise InputError(
            f"expected layers to be one of {', '.join(KINDS)} or a list of names, got {layers!r}; write ['layer1', ...]"
        )
    chosen: set[str] = set()
    for layer in layers:
        if "*" in layer or "?" in layer:
            fitting = {name for name in order if fnmatchcase(name, layer)}
            if not fitting:
                raise InputError(f"expected layers of {backbone.name!r} that fit {layer!r}, found none; name modules")
            chosen |= fitting
        else:
            chosen |= set(check_layers(backbone, [layer]))
    if idle := sorted(chosen - {*order, PENULTIMATE}):
        raise InputError(
            f"expected layers of {backbone.name!r} that run on the way to the pooled features, but {idle[0]!r} does "
            f"not{near_names(idle[0], order)}; leave it out"
        )
    return chosen
