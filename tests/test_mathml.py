"""Formulas as MathML, made and checked while the book is built."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from diffred_core.staging.mathml import to_mathml


@pytest.mark.parametrize(
    "latex",
    [
        r"\operatorname{CKA}(m, q) = \frac{m^\top U q}{\sqrt{m^\top U m \; q^\top U q}}",
        r"\lVert X_c W - Y_c \rVert_F^2 + \ell \lVert W \rVert_F^2",
        r"\begin{aligned} a &= b \\ &= c \end{aligned}",
        r"a &= b \\ &= c",
        r"\operatorname*{arg\,min}_{f \in F} \left| a - \delta \right|",
        r"\mathrm{diag}(G) \circ \mathbf{1} \le \lfloor f d \rfloor",
    ],
)
def test_formula_becomes_one_well_formed_math_element(latex):
    element = ET.fromstring(to_mathml(latex, display=True))
    assert element.tag.endswith("math")
    assert element.get("display") == "block"
    assert element.get("alttext") == latex
    assert not any("\\" in (node.text or "") for node in element.iter())


def test_name_of_several_letters_is_an_identifier_not_an_operator():
    markup = to_mathml(r"\operatorname{HSIC}(K) + 1")
    assert "<mi>HSIC</mi>" in markup
    assert "<mo>&#x0002B;</mo>" in markup


@pytest.mark.parametrize(
    ("latex", "named"), [(r"\nosuchcommand{x}", r"\\nosuchcommand"), (r"\frac{a", "complete formula")]
)
def test_broken_formula_is_refused_by_name(latex, named):
    with pytest.raises(ValueError, match=named):
        to_mathml(latex)
