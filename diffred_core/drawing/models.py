"""One look a network, the same in every figure and in the explorer: a hue a family, its lightness and marker a member.

The hues are those of Okabe and Ito (2008). Members of a family differ in marker as well, so that no two networks are
told apart by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from diffred_core.drawing.style import Look, looks
from diffred_core.results.readable import NETWORKS, readable

_FAMILIES = {  # from light to dark
    ("#56B4E9", "#0072B2", "#00385C"): [name for name in NETWORKS if name.startswith("tf_efficientnet")],
    ("#D55E00", "#F39B5B", "#7A3300"): [name for name in NETWORKS if name.startswith("mobilenetv2")],
    ("#54BFA0", "#009E73", "#00523C"): [name for name in NETWORKS if name.startswith("mobilenetv1")],
    ("#CC79A7", "#7D3A62"): [name for name in NETWORKS if name.startswith("cifar_resnet")],
    ("#000000",): ["squeezenet1_1"],
    ("#C99700", "#7A5C00"): ["vggm", "small_networks"],
}
_MARKERS = ("o", "s", "^", "D", "P", "X")  # of the first, second and third member, then those of the small families
MODELS: dict[str, Look] = {
    name: Look(readable(name), colour, marker)
    for place, (colours, names) in enumerate(_FAMILIES.items())
    for name, colour, marker in zip(names, colours, _MARKERS[3 * (place > 2) :], strict=False)
}


def model_looks(models: Iterable[str]) -> dict[str, Look]:
    """Return the look of every one of `models`, family by family; an unknown one gets a look that no known one has."""
    return looks(MODELS, models)
