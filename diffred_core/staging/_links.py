"""Links from prose to the API pages, and a check that every function that prose names exists."""

from __future__ import annotations

import re
from collections.abc import Mapping

from diffred_core.errors import InputError, near_names

_FENCE = re.compile(r"^(```|~~~)")  # a colon fence holds prose
_NAME = re.compile(r"(?<![`\[])`([a-z_]+)\.([A-Za-z_]\w*)`(?!`)")


def link_names(text: str, public: Mapping[tuple[str, str], str], *, page: str) -> str:
    """Return the Markdown of `page` in which each inline ``module.name`` of the package links to its entry.

    `public` holds the full names of the pairs (module, name) that the API pages have; another name is refused.
    """
    modules = {module for module, _ in public}

    def link(match: re.Match[str]) -> str:
        module, name = match.groups()
        if module not in modules:
            return match[0]
        if (module, name) not in public:
            hint = near_names(f"{module}.{name}", [".".join(pair) for pair in public])
            raise InputError(f"{page} names {module}.{name}, which diffred_core does not have{hint}; correct the page")
        return f"{{py:obj}}`{module}.{name} <{public[module, name]}>`"

    lines, code = [], False
    for line in text.split("\n"):
        fence = bool(_FENCE.match(line.lstrip()))
        lines.append(line if code or fence else _NAME.sub(link, line))
        code ^= fence
    return "\n".join(lines)
