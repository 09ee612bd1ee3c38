"""The contents beside a page, made short: the branch that the page is in, and of any other its first page."""

from __future__ import annotations

import itertools
import re

FEWEST = 7  # pages of a branch that are told apart by task
_LINK = r'<a class="(?:current )?reference internal"[^>]*>(?:[^<]|<(?!/a>))*</a>'
# a branch without another one in it, which the page is not in
_CLOSED = re.compile(rf'( has-children)("?>\s*{_LINK})\s*<details>(?:(?!<details|</details>).)*</details>', re.DOTALL)
_OPEN = re.compile(r'(<details open="open">(?:(?!<ul).)*<ul[^>]*>)((?:(?!</?ul).)*)(</ul>)', re.DOTALL)
_PAGE = re.compile(rf'<li class="toctree-l2[^"]*">{_LINK}</li>')
_ON_TASK = re.compile(r" on ((?:(?! on )[^<])+)</a>")


def short_contents(page: str) -> str:
    """Return `page` without the branches of its contents that it is not in, and with the pages of its own by task.

    With two hundred pages of results the whole contents are most of the sidebar, and a tenth of the page's bytes.
    """
    before, opening, rest = page.partition('<nav class="bd-links')
    contents, closing, after = rest.partition("</nav>")
    if not closing:
        return page
    while (pruned := _CLOSED.sub(r"\2", contents)) != contents:  # from the innermost branch outwards
        contents = pruned
    return before + opening + _OPEN.sub(_by_task, contents) + closing + after


def _by_task(branch: re.Match[str]) -> str:
    """Return an open branch whose pages stand in a list of their task, where all are of a model on a task."""
    opening, items, closing = branch.groups()
    pages = _PAGE.findall(items)
    tasks = [match[1] for page in pages if (match := _ON_TASK.search(page))]
    if len(pages) < FEWEST or len(tasks) != len(pages) or len(set(tasks)) < 2:
        return branch[0]
    lists = []
    for task, of_task in itertools.groupby(zip(pages, tasks, strict=True), key=lambda pair: pair[1]):
        listed = "\n".join(_ON_TASK.sub("</a>", page) for page, _ in of_task)
        lists.append(f'<li class="contents-task"><p>{task}</p><ul>\n{listed}\n</ul></li>')
    return opening + "\n" + "\n".join(lists) + "\n" + closing
