"""What the walk through a file of embeddings includes: what the report, and the notebook, said of a real file."""

from __future__ import annotations

from collections.abc import Sequence

from diffred_core.staging._heading import finding_of
from diffred_core.staging._markdown import plain
from diffred_core.staging._runs import CellRun

REPORT, PROBES = "embedding_report", "subset_probes"
_NONE = "%\n"  # a comment: without a run the walk goes without an example


def examples(runs: Sequence[CellRun]) -> dict[str, bytes]:
    """Return the finding of the first report, and that of the probes on the same features, each with a link.

    By the paths that the walk includes.
    """
    shown = [run for run in runs if run.has_page]
    report = next((run for run in shown if run.cell.analysis == REPORT), None)
    same = [
        run for run in shown if report and run.cell.analysis == PROBES and run.cell.place[:2] == report.cell.place[:2]
    ]
    return {
        f"_generated/walk-{analysis}.md": (_example(run) if run else _NONE).encode()
        for analysis, run in ((REPORT, report), (PROBES, same[0] if same else None))
    }


def _example(run: CellRun) -> str:
    sentence = plain(finding_of(run)).replace(" %", "\N{NO-BREAK SPACE}%")
    return f"> {sentence}\n>\n> – [{plain(run.cell.title)}](../{run.cell.page}.ipynb)\n"
