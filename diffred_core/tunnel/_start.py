"""At which layer the tunnel begins: the original rule, from ID accuracy, and the revised one, from OOD accuracy."""

from __future__ import annotations

from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.tunnel._curves import as_curve


def tunnel_start(id_accuracy: Tensor | ArrayLike, *, share: float = 0.95) -> int:
    """Return the first layer whose ID accuracy reaches `share` of the final one (Masarczyk et al. 2023).

    Parameters
    ----------
    id_accuracy : Tensor (n_layers,)
        Probe accuracies on the data the network was trained on, in execution order.
    share : float
        In (0, 1]; 0.95 and 0.98 are the published ones.

    Returns
    -------
    int
        Index from 0. That of the last layer, ``n_layers - 1``, says that all layers are needed: there is no tunnel.

    Raises
    ------
    InputError
        As `percent_retained`, a batch of curves, or a share out of range.
    """
    curve = as_curve(id_accuracy, name="id_accuracy")
    if not 0 < share <= 1:
        raise InputError(f"expected share in (0, 1], got {share}; 0.95 and 0.98 are the published shares")
    return int((curve >= share * curve[-1]).nonzero()[0])


def revised_tunnel_start(ood: Tensor | ArrayLike) -> int | None:
    """Return the layer of the best OOD accuracy, if the penultimate one falls short of it (Harun et al. 2024).

    Parameters
    ----------
    ood : Tensor (n_layers,)
        Probe accuracies on other data, in execution order, the penultimate layer last.

    Returns
    -------
    int or None
        Index from 0, of equal layers the first; None where no layer is better than the penultimate one: no tunnel.

    Raises
    ------
    InputError
        As `tunnel_start`.
    """
    curve = as_curve(ood, name="ood")
    best = int((curve == curve.max()).nonzero()[0])
    return best if curve[best] > curve[-1] else None
