"""One look a network: fixed by its name, told apart by everybody, and never given to another one."""

from __future__ import annotations

import itertools

import matplotlib.colors
import numpy as np
import pytest

from diffred_core.drawing.models import MODELS, model_looks
from diffred_core.results.readable import NETWORKS

# linear RGB as dichromats see it (Machado, Oliveira and Fernandes 2009, severity 1)
SEEN_BY = {
    "everybody": np.eye(3),
    "protanopes": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deuteranopes": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
}
APART = 0.08  # distance of two colours in sRGB that are told apart


def drawn(look):
    return look.colour, look.marker, look.dash


def seen(colour: str, kind: str) -> np.ndarray:
    """Return a colour as some people see it, in sRGB (3,)."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    back = np.clip(SEEN_BY[kind] @ linear, 0, 1)
    return np.where(back <= 0.0031308, 12.92 * back, 1.055 * back ** (1 / 2.4) - 0.055)


def confused(one: str, other: str, kind: str) -> bool:
    return bool(np.linalg.norm(seen(one, kind) - seen(other, kind)) < APART)


def test_every_known_network_has_a_look_of_its_own_and_its_name():
    assert set(MODELS) == set(NETWORKS)
    assert len({look.colour for look in MODELS.values()}) == len(MODELS)
    assert {name: look.words for name, look in MODELS.items()} == NETWORKS


@pytest.mark.parametrize("kind", SEEN_BY)
def test_two_networks_of_one_marker_are_told_apart_by_colour(kind):
    pairs = itertools.combinations(MODELS.values(), 2)
    alike = [(a.words, b.words) for a, b in pairs if a.marker == b.marker and confused(a.colour, b.colour, kind)]
    assert alike == []


def test_red_and_green_of_one_lightness_are_confused_by_some():
    assert confused("#C08000", "#9C9500", "deuteranopes")
    assert not confused("#C08000", "#9C9500", "everybody")


def test_members_of_a_family_differ_in_marker():
    for family in ("tf_efficientnet", "mobilenetv1", "mobilenetv2", "cifar_resnet"):
        members = [look.marker for name, look in MODELS.items() if name.startswith(family)]
        assert len(set(members)) == len(members) > 1


def test_a_look_does_not_depend_on_who_else_is_drawn():
    alone = {name: model_looks([name])[name] for name in MODELS}
    assert model_looks([*MODELS, "another"]) | alone == model_looks([*MODELS, "another"])
    others = model_looks(["vggm", "another", "a_third"])
    assert others["vggm"] == MODELS["vggm"]


def test_an_unknown_network_never_has_the_look_of_a_known_one():
    known = {drawn(look) for look in MODELS.values()}
    for present in ([], ["vggm"], list(MODELS)):
        unknown = {name: look for name, look in model_looks([*present, "new_a", "new_b"]).items() if name not in MODELS}
        assert len({drawn(look) for look in unknown.values()}) == 2
        assert not known & {drawn(look) for look in unknown.values()}
    assert {drawn(model_looks(["vggm"])["vggm"])} <= known  # the control


def test_colours_are_dark_enough_on_white():
    for look in MODELS.values():
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib.colors.to_rgb(look.colour)
        ]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) > 2
