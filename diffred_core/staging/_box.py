"""What produced a page, its downloads, and the command that makes it again."""

from __future__ import annotations

from diffred_core import files, results
from diffred_core.running import arguments
from diffred_core.running.notebook_parameters import read_parameters
from diffred_core.staging._names import file_name, page_name
from diffred_core.staging._project import Project
from diffred_core.staging._runs import Cell, Run, messages


def command(run: Run) -> str:
    """Return the command line that makes the page of `run` again."""
    template = files.template_path(run.cell.analysis)
    defaults = {name: p.default for name, p in read_parameters(template).items()} if template.is_file() else {}
    chosen = {
        name: value
        for name, value in run.record.parameters.items()
        if name in ("model", "task") or name not in defaults or value != defaults[name]
    }
    return f"diffred run {run.cell.analysis} {arguments(chosen)}".rstrip()


def provenance_box(run: Run, project: Project) -> str:
    """Return the Markdown that says what produced the page of `run`, with its downloads."""
    up = "../" * page_name(run.cell).count("/")
    links = [f"{{download}}`executed notebook <{up}{file_name(run.cell, '.ipynb')}>`"]
    if files.table_path(*run.cell.place).is_file():
        links.insert(0, f"{{download}}`table (CSV) <{up}{file_name(run.cell, '.csv')}>`")
    fields = "\n".join(f":{name}: {value}" for name, value in _facts(run, project).items())
    return (
        f"{_warning(run)}"
        ":::{admonition} What produced this page\n:class: note dropdown provenance\n\n"
        f"{fields}\n{_printed(run)}:::\n\n"
        f"Download: {', '.join(links)}. Make it again:\n\n```console\n$ {command(run)}\n```"
    )


def _facts(run: Run, project: Project) -> dict[str, str]:
    record = run.record
    template = f"notebooks/{record.template}"
    facts = {
        "Template": f"[{template}]({project.source(template, commit=record.commit)})",
        "Commit": project.describe(record.commit, record.dirty),
        "Parameters": ", ".join(f"`{name} = {value!r}`" for name, value in record.parameters.items()),
        "Features": ", ".join(f"{split} `{key[:16]}`" for split, key in _feature_keys(run.cell).items()),
        "Versions": ", ".join(f"{name} {version}" for name, version in record.versions.items()),
        "Device": f"{record.device or 'unknown'}, {record.threads} threads",
        "Time": f"{record.seconds:.1f} s, finished {record.finished}",
    }
    return {name: value for name, value in facts.items() if value}


def _feature_keys(cell: Cell) -> dict[str, str]:
    table = files.table_path(*cell.place)
    return dict(results.read_provenance(table).get("feature_keys") or {}) if table.is_file() else {}


def _warning(run: Run) -> str:
    if run.state == "good":
        return ""
    what = "out of date" if run.state == "stale" else "not the last attempt"
    return f":::{{warning}}\nThis page is {what}. {run.reason}\n:::\n\n"


def _printed(run: Run) -> str:
    text = messages(run.notebook)
    return f"\nWarnings and messages of the run:\n\n```text\n{text}\n```\n" if text else ""
