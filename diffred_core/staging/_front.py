"""The front page: the answer to its title with its verdicts and its figure, and the finding of every other part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pandas as pd

from diffred_core.chapters.random_subsets import across, claims, names
from diffred_core.chapters.random_subsets.reading import shares_in_words
from diffred_core.drawing import Answer, show
from diffred_core.results import where
from diffred_core.results.claims import Claim, percent
from diffred_core.results.readable import cell_name
from diffred_core.staging._answers import answer_of
from diffred_core.staging._figures import draw, heading_over
from diffred_core.staging._heading import finding_of
from diffred_core.staging._markdown import option, plain
from diffred_core.staging._page import page_title
from diffred_core.staging._runs import CellRun
from diffred_core.staging._tables import table_of

FINDING = "subset_probes"  # the analysis that has it
_NO_FINDING = (
    "*The grid has not been run for this copy of the book, so there is no finding to show. The "
    "[grid status](back/grid-status.md) lists what is missing.*\n"
)
_EXPLORE = (  # HTML, since what stands behind # is no place of the page
    '<a href="explorer.html">Explore every curve</a>, or <a href="explorer.html#view=compare">compare two</a>: any '
    "model on any task against another."
)
_OTHERS = {  # what is asked, and the analysis whose first page answers
    "Few shots": "few_shot_summary",
    "What governs it": "governs_summary",
    "Depth": "layers",
    "Labels, classes and spectra": "spectra_summary",
    "Embeddings": "embedding_report",
    "Fewer bits": "compression_published",
}
_MOST = 420  # characters of a finding: whole sentences, the first in any case


def front_page(runs: Sequence[CellRun]) -> dict[str, bytes]:
    """Return the fragment of the front page, and its figure if there is something to draw, from `runs` of the grid."""
    shown = [run for run in runs if run.has_page]
    probes = [run for run in shown if run.cell.analysis == FINDING and not run.cell.is_summary]
    if not probes:
        return {"_generated/finding.md": _NO_FINDING.encode()}
    table = pd.concat([table_of(run) for run in probes], ignore_index=True)
    judged = [claim for run in probes if (made := answer_of(run)) for claim in made.claims]
    kept = across.kept()
    pairs = kept.summary(table)
    picture, alt = draw(kept, pairs)
    box = answer(table, judged)
    parts = [
        show(box).data if box else "",
        sentence(pairs),
        _EXPLORE,
        heading_over(kept, pairs).strip(),
        f"```{{figure}} /_generated/finding.png\n:alt: {option(alt)}\n:width: 100%\n\n{_caption(pairs)}\n```",
        other_findings(shown),
    ]
    text = "\n\n".join(filter(None, parts)).replace(" %", "\N{NO-BREAK SPACE}%")  # no line ends before a unit
    return {"_generated/finding.md": f"{text}\n".encode(), "_generated/finding.png": picture}


def answer(probes: pd.DataFrame, judged: Sequence[Claim]) -> Answer | None:
    """Return how many dimensions keep the accuracy, over models and tasks, with the verdicts on what was `judged`.

    None where the tables were made without diffused redundancy.
    """
    if where(probes, metric=names.FIRST).empty:
        return None
    needed = across.needed_fractions(probes, deltas=across.NEEDED_DELTAS).groupby("delta")["fraction"]
    ranges = [
        f"{percent(delta)}{' of the accuracy' * first} needs {_range(shares)}{' of the dimensions' * first} (median "
        f"{percent(shares.median())})"
        for first, (delta, shares) in zip((True, False, False), needed, strict=True)
    ]
    kept = [claim for claim in judged if claim.name.startswith(claims.KEPT)]
    held = sum(claim.verdict == "holds" for claim in kept)
    text = (
        f"It depends on model and task: {', '.join(ranges)}, drawn at random. The published claim, that a random "
        f"{percent(names.FRACTION)} stays within {100 * names.MARGIN:g} points of the full layer, holds in {held} of "
        f"{len(kept)} pairs of model and task."
    )
    return Answer(text, judged, in_full=False)


def sentence(pairs: pd.DataFrame) -> str:
    """Return what a random part keeps in words, from the rows of `across.kept_accuracy`."""
    worst = pairs.loc[pairs["gap"].idxmax()]
    share, kept = shares_in_words(pairs["fraction"]), 100 * pairs["kept"]
    spread = (
        f" (mean over {len(pairs)} pairs of model and task; lowest {kept.min():.1f} %, highest {kept.max():.1f} %)"
        if len(pairs) > 1
        else ""
    )
    return (
        f"**A random {share} of the dimensions keeps {kept.mean():.1f} % of the full layer's test accuracy**{spread}. "
        f"The {'largest ' if spread else ''}loss, {plain(cell_name(worst['model'], worst['task']))}, is "
        f"{100 * worst['gap']:.1f} points ({100 * worst['level']:g} % interval {100 * worst['gap_low']:.1f} to "
        f"{100 * worst['gap_high']:.1f}, paired bootstrap over subsets and test images)."
    )


def other_findings(shown: Sequence[CellRun]) -> str:
    """Return a line for every other part: what its first page says of itself, with the link; empty without any.

    Pages that were computed for this copy of the book come before those of kept tables.
    """
    computed = sorted(shown, key=lambda run: run.record is not None and run.record.kept is not None)  # these first
    first = {run.cell.analysis: run for run in reversed(computed)}
    lines = [
        f"- **{words}.** {plain(text)} [{plain(page_title(first[analysis]))}]({first[analysis].cell.page}.ipynb)"
        for words, analysis in _OTHERS.items()
        if analysis in first and (text := " ".join(_first_sentences(finding_of(first[analysis]))))
    ]
    return "\n".join(["## What the other parts found", "", *lines]) if lines else ""


def _first_sentences(text: str) -> Iterator[str]:
    """Yield whole sentences of `text` while there is room for them."""
    room = _MOST
    for number, part in enumerate(re.split(r"(?<=\.) (?=[A-Z])", text)):
        if number and len(part) > room:
            return
        room -= len(part)
        yield part


def _range(shares: pd.Series) -> str:
    low, high = percent(shares.min()), percent(shares.max())
    return low if low == high else f"{low.removesuffix(' %')} to {high}"


def _caption(pairs: pd.DataFrame) -> str:
    sizes = sorted({(int(row.n_selected), int(row.n_features)) for row in pairs.itertuples()})
    kept = ", ".join(f"{k} of {d:,}" for k, d in sizes)
    probe = pairs["probe"].iloc[0]
    return (
        f"Test accuracy of a {probe} probe on {kept} dimensions, chosen at random, and on all of them. "
        f"Bars: {100 * pairs['level'].iloc[0]:g} % interval for the mean over {int(pairs['n'].min())} random subsets."
    )
