"""The contents of the staged book: the template `book/_toc.yml` with the chapters of the good runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from diffred_core.errors import InputError

Chapter = dict[str, Any]


def fill_toc(template: str, chapters: Mapping[str, Sequence[Chapter]], *, api: Iterable[str] = ()) -> str:
    """Return the contents with the chapters of each analysis in the part that lists it, and `api` below ``back/api``.

    A part of the template has `chapters`, or `analyses`, a list of names, or both, the chapters first; it is left out
    where it has neither a chapter nor one of an analysis.
    """
    toc = yaml.safe_load(template)
    listed = [name for part in toc["parts"] for name in part.get("analyses", ())]
    for analysis in chapters:
        if analysis not in listed:
            raise InputError(
                f"expected every analysis in a part of book/_toc.yml, but {analysis!r} is in none; "
                f"add it to `analyses` of its part (listed are {', '.join(listed) or 'none'})"
            )
    sections = [{"file": page} for page in api]
    for part in toc["parts"]:
        if "analyses" in part:
            of_runs = [chapter for name in part.pop("analyses") for chapter in chapters.get(name, ())]
            part["chapters"] = [*part.get("chapters", ()), *of_runs]
        for chapter in part["chapters"]:
            if chapter["file"] == "back/api" and sections:
                chapter["sections"] = sections
    toc["parts"] = [part for part in toc["parts"] if part["chapters"]]
    return yaml.safe_dump(toc, sort_keys=False, allow_unicode=True, width=110)
