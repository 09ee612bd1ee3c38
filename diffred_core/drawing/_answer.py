"""The answer of a page in its first screen, and every verdict with the sentence behind it, as HTML."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from diffred_core.errors import InputError
from diffred_core.results.claims import VERDICTS, Claim


@dataclass(frozen=True)
class Answer:
    """What a page found: a sentence with its numbers, and the verdict of every claim.

    Attributes
    ----------
    sentence : str
        The finding, for somebody who reads nothing else.
    claims : sequence of Claim
        Those of one name share a line.
    numbers : mapping of str to str
        The few numbers by which pages of the same analysis are compared, each by what it is.
    in_full : bool
        Whether each claim is folded with its statement and evidence. Of many pages together they stand in `Verdicts`.
    """

    sentence: str
    claims: Sequence[Claim]
    numbers: Mapping[str, str] = field(default_factory=dict)
    in_full: bool = True

    def __post_init__(self) -> None:
        """Refuse an answer that says nothing."""
        if not self.sentence.strip():
            raise InputError("an answer needs a sentence that says the finding, got an empty one; write it")


@dataclass(frozen=True)
class Verdicts:
    """The claims of several models and tasks, one against the other: the fewer of the two stand side by side.

    Attributes
    ----------
    claims : mapping of str to sequence of Claim
        By the model and task that they are about, in words. A claim has one name wherever it is made.
    caption : str
    level : float
        Coverage of the intervals behind the verdicts.
    """

    claims: Mapping[str, Sequence[Claim]]
    caption: str
    level: float = 0.95


def answer_html(answer: Answer) -> str:
    """Return the box of an answer: its sentence, how many claims hold, and a line a claim."""
    lines = "\n".join(_line(name, claims, answer.in_full) for name, claims in _by_name(answer.claims).items())
    total = f"<p>{len(answer.claims)} claims: {_words(answer.claims)}</p>\n" if len(answer.claims) > 1 else ""
    listed = f'\n{total}<ul class="verdict-list">\n{lines}\n</ul>' if lines else ""
    return f'<div class="answer">\n<p class="finding">{unbroken(answer.sentence)}</p>{listed}\n</div>'


def unbroken(sentence: str) -> str:
    """Return a sentence as HTML in which no line ends between a number and its unit."""
    return html.escape(sentence).replace(" %", "&nbsp;%")


def verdicts_html(verdicts: Verdicts) -> str:
    """Return the matrix of claims and cells; a verdict unfolds to its sentence. It scrolls in a box of its own.

    The longer of the two lists goes down the page.
    """
    names = list(dict.fromkeys(claim.name for claims in verdicts.claims.values() for claim in claims))
    held = {
        (name, cell): [c for c in claims if c.name == name]
        for cell, claims in verdicts.claims.items()
        for name in names
    }
    if len(verdicts.claims) > len(names):
        first, across = "model and task", names
        rows = {cell: [held[name, cell] for name in names] for cell in verdicts.claims}
    else:
        first, across = "claim", list(verdicts.claims)
        rows = {name: [held[name, cell] for cell in verdicts.claims] for name in names}
    columns = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in (first, *across))
    body = "\n".join(
        f'<tr><th scope="row">{html.escape(text)}</th>{"".join(map(_cell, cells))}</tr>' for text, cells in rows.items()
    )
    caption = html.escape(verdicts.caption)
    n_claims = sum(len(claims) for claims in verdicts.claims.values())
    return (
        f'<div class="verdict-matrix" tabindex="0" role="region" aria-label="{caption}">\n<table>\n'
        f"<caption>{caption}</caption>\n<thead><tr>{columns}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n"
        f'<p class="many-claims">{_chance_note(n_claims, verdicts.level)}</p>'
    )


def _chance_note(n_claims: int, level: float) -> str:
    """Return how many verdicts chance alone would make in the worst case: every value exactly at its limit."""
    by_chance = n_claims * (1 - level) / 2
    expected = f"some {by_chance:.0f}" if by_chance >= 1 else "fewer than one"
    return (
        f"{n_claims} claims are held against intervals of {100 * level:g}&nbsp;%, none is corrected for the others: if "
        f"every value lay exactly at its limit, {expected} would hold and as many fail by chance. "
        "Read the pattern, not a single verdict."
    )


def counted(claims: Iterable[Claim]) -> dict[str, str]:
    """Return the verdicts of claims in words, by verdict: that of one, ``3 hold`` of several; the good ones first."""
    counts = Counter(claim.verdict for claim in claims)
    if counts.total() == 1:
        return {verdict: verdict for verdict in counts}
    words = {"holds": ("holds", "hold"), "undecided": ("undecided", "undecided"), "fails": ("fails", "fail")}
    return {verdict: f"{n} {words[verdict][n > 1]}" for verdict in VERDICTS if (n := counts[verdict])}


def _by_name(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(claim.name, []).append(claim)
    return groups


def _line(name: str, claims: Sequence[Claim], in_full: bool) -> str:
    words = f'<span class="claim">{html.escape(name)}</span> {_words(claims)}'
    if not in_full:
        return f"<li>{words}</li>"
    return f"<li><details><summary>{words}</summary>{_sentences(claims)}</details></li>"


def _cell(claims: Sequence[Claim]) -> str:
    if not claims:
        return '<td class="none">–</td>'
    return f"<td><details><summary>{_words(claims)}</summary>{_sentences(claims)}</details></td>"


def _words(claims: Sequence[Claim]) -> str:
    """Return the verdicts in words, each with its class for the colour."""
    return " ".join(f'<span class="verdict {verdict}">{text}</span>' for verdict, text in counted(claims).items())


def _sentences(claims: Sequence[Claim]) -> str:
    """Return each claim and its numbers as a paragraph, with its verdict where there are several."""
    return "".join(
        f"<p>{f'<em>{claim.verdict.capitalize()}:</em> ' if len(claims) > 1 else ''}"
        f"{html.escape(claim.statement[:1].upper() + claim.statement[1:])} {html.escape(claim.evidence)}</p>"
        for claim in claims
    )
