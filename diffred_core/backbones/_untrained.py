"""The same network before any training: the floor of what its architecture alone gives."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import nn

from diffred_core.backbones._backbone import Backbone, digest
from diffred_core.errors import InputError

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def untrained(backbone: Backbone, *, seed: int = 0) -> Backbone:
    """Return a copy of a network with random weights, everything else as it is.

    Every layer is reset as its class does, and the weights of linear layers and convolutions are drawn as by He et al.
    (2015): normal, of variance 2 / fan-in, so that rectified activations neither vanish nor grow with depth. Batch
    norms are the identity, as they begin. Parameters that belong to no such layer (tokens, positions) are standard
    normal times 0.02.

    Parameters
    ----------
    backbone : Backbone
    seed : int
        Of the weights.

    Raises
    ------
    InputError
        If the network has no parameters.
    """
    module = copy.deepcopy(backbone.module)
    if not any(True for _ in module.parameters()):
        raise InputError(f"expected a network with parameters, but {backbone.name!r} has none; load another")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for layer in module.modules():
            _reset(layer)
    return replace(
        backbone, name=f"{backbone.name} untrained", module=module.eval(), weights_digest=digest(module.state_dict())
    )


def _reset(layer: nn.Module) -> None:
    reset = getattr(layer, "reset_parameters", None)
    if callable(reset):
        reset()
    else:
        for parameter in layer.parameters(recurse=False):
            parameter.normal_(0, 0.02)
    if isinstance(layer, WEIGHTED):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            layer.bias.zero_()
