"""The contents of the staged book: the template `book/_toc.yml` with the chapters of the good runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from diffred_core.errors import InputError

Chapter = dict[str, Any]


def fill_toc(template: str, chapters: Mapping[str, Sequence[Chapter]], *, api: Iterable[str] = ()) -> str:
    """Return the contents with the chapters of each analysis put into the part that lists it.

    Parameters
    ----------
    template
        Text of `book/_toc.yml`: a part has either `chapters`, or `analyses`, a list of names.
    chapters
        Chapters by analysis; an analysis may have none.
    api
        Pages that stand below ``back/api``.

    Returns
    -------
    str
        A Jupyter Book table of contents. A part of analyses without a chapter is left out.

    Raises
    ------
    InputError
        If an analysis with chapters stands in no part.
    """
    toc = yaml.safe_load(template)
    listed = [name for part in toc["parts"] for name in part.get("analyses", ())]
    for analysis in chapters:
        if analysis not in listed:
            raise InputError(
                f"expected every analysis in a part of book/_toc.yml, but {analysis!r} is in none; "
                f"add it to `analyses` of its part (listed are {', '.join(listed) or 'none'})"
            )
    parts = [_part(part, chapters) for part in toc["parts"]]
    sections = [{"file": page} for page in api]
    for chapter in (chapter for part in parts for chapter in part["chapters"]):
        if chapter["file"] == "back/api" and sections:
            chapter["sections"] = sections
    toc["parts"] = [part for part in parts if part["chapters"]]
    return yaml.safe_dump(toc, sort_keys=False, allow_unicode=True, width=110)


def _part(part: dict[str, Any], chapters: Mapping[str, Sequence[Chapter]]) -> dict[str, Any]:
    if "analyses" not in part:
        return part
    found = [chapter for name in part["analyses"] for chapter in chapters.get(name, ())]
    return {"caption": part["caption"], "chapters": found}
