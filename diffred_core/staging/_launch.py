"""How a reader opens the template of a page and changes it: on their own machine, or in a browser."""

from __future__ import annotations

from diffred_core.running.records import Record
from diffred_core.staging._markdown import code, fenced
from diffred_core.staging._project import Project

CORES = {1: "one core", 2: "two cores"}


def launch(record: Record, project: Project) -> str:
    """Return the lines that open the template of `record`: the command for JupyterLab, the links to Binder and Colab.

    Empty where the checkout has that template no more.
    """
    template = f"notebooks/{record.template}"
    if not (project.root / template).is_file():
        return ""
    command = fenced(f"$ make lab NOTEBOOK={record.template.removesuffix('.ipynb')}", "console")
    return (
        f"Change it in JupyterLab, where the template opens with its default parameters:\n\n{command}\n\n"
        f"or without installing anything [on Binder]({project.binder(template)}), or "
        f"[on Colab]({project.colab(template)}) after {code(f'%pip install {project.requirement}')} in a first cell."
    )


def took(record: Record) -> str:
    """Return how long a run took, in words: ``22 s on two cores``."""
    whole = round(record.seconds or 0)
    seconds = f"{whole} s" if whole else "under a second"
    return f"{seconds} on {CORES.get(record.threads, f'{record.threads} cores')}"
