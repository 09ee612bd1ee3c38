"""A Sphinx extension: formulas become MathML while the book is built, so reading them needs no script and no network.

The formulas are checked at the same time: a command that cannot be converted is a warning, and the book is
built with warnings as errors.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

_LOGGER = logging.getLogger(__name__)

# Spellings that the converter lacks, and the ones it has.
_SPELLINGS = {
    r"\begin{aligned}": r"\begin{align*}",
    r"\end{aligned}": r"\end{align*}",
    r"\operatorname*": r"\operatorname",
    r"\argmax": r"\operatorname{arg\,max}",
    r"\argmin": r"\operatorname{arg\,min}",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\mathrm": r"\operatorname",
}
_LEFT_OVER = re.compile(r"\\(?:[A-Za-z]+|$)|&(?!#?\w+;)")


def to_mathml(latex: str, *, display: bool = False) -> str:
    r"""Return `latex` as one ``<math>`` element.

    Parameters
    ----------
    latex
        The formula, without dollar signs. Several lines split by ``\\`` are aligned at ``&``.
    display
        True for a formula on its own line.

    Raises
    ------
    ValueError
        If a command is unknown or a brace is open; the sentence names the formula and the command.
    """
    source = latex.strip()
    bare = re.sub(r"\\.", "", source)
    if bare.count("{") != bare.count("}"):
        raise ValueError(f"expected a complete formula, got {latex!r} with more braces of one side than of the other")
    if r"\\" in source and r"\begin{" not in source:
        source = rf"\begin{{split}}{source}\end{{split}}"
    for spelling, convertible in _SPELLINGS.items():
        source = re.sub(re.escape(spelling) + r"(?![A-Za-z])", lambda _, text=convertible: text, source)
    try:
        markup = convert(source, display="block" if display else "inline")
    except Exception as error:  # the converter raises a class of its own for each way a formula can be broken
        raise ValueError(f"expected a complete formula, got {latex!r} ({type(error).__name__})") from error
    if unknown := _LEFT_OVER.findall(markup):
        raise ValueError(f"expected commands that MathML has, got {unknown[0]!r} in {latex!r}; spell it otherwise")
    # A name of several letters is an identifier, set upright and without the space around an operator.
    markup = re.sub(r"<mo>([A-Za-z]{2,})</mo>", r"<mi>\1</mi>", markup)
    return markup.replace("<math ", f'<math alttext="{escape(latex.strip(), quote=True)}" ', 1)


def _checked(node: nodes.Element, *, display: bool) -> str:
    try:
        return to_mathml(node.astext(), display=display)
    except ValueError as error:
        _LOGGER.warning("formula: %s", error, location=node, type="math", subtype="mathml")
        return f"<code>{escape(node.astext())}</code>"


def _visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(f'<span class="math">{_checked(node, display=False)}</span>')
    raise nodes.SkipNode


def _visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(_checked(node, display=True))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer under the name ``mathml`` (``html_math_renderer``)."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
