"""Links from prose to the API pages, and a check that every function that prose names exists."""

from __future__ import annotations

import re
from collections.abc import Mapping

from diffred_core.errors import InputError, near_names

_FENCE = re.compile(r"^(```|~~~)")
_NAME = re.compile(r"(?<![`\[])`([a-z_]+)\.([A-Za-z_]\w*)`(?!`)")


def link_names(text: str, public: Mapping[tuple[str, str], str], *, page: str) -> str:
    """Return Markdown `text` in which each inline ``module.name`` of the package links to its entry.

    Parameters
    ----------
    text
        A hand-written page.
    public
        Full names of the pairs (module, name) that the API pages hold, as from `public_names`.
    page
        Name of the page, for the error.

    Raises
    ------
    InputError
        If the module is one of the package but has no such public name.
    """
    modules = {module for module, _ in public}

    def link(match: re.Match[str]) -> str:
        module, name = match.groups()
        if module not in modules:
            return match[0]
        if (module, name) not in public:
            known = [f"{m}.{n}" for m, n in public]
            hint = near_names(f"{module}.{name}", known)
            raise InputError(f"{page} names {module}.{name}, which diffred_core does not have{hint}; correct the page")
        return f"{{py:obj}}`{module}.{name} <{public[module, name]}>`"

    return "\n".join(line if code else _NAME.sub(link, line) for line, code in _lines(text))


def _lines(text: str) -> list[tuple[str, bool]]:
    """Return each line with whether it is code; a colon fence holds prose, so only backtick and tilde fences count."""
    lines, inside = [], False
    for line in text.split("\n"):
        fence = bool(_FENCE.match(line.lstrip()))
        lines.append((line, inside or fence))
        inside ^= fence
    return lines
