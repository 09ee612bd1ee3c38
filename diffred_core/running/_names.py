"""What the names of tasks and models stand for under one ``runs/``: two different things never share a name.

Names are what tables, summaries and pages know. ``/a/birds`` and ``/b/birds`` are both ``folder:birds``: the first that
is run has the name, and the second is asked for one of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from diffred_core import files, provenance
from diffred_core.errors import InputError


def claim_names(parameters: Mapping[str, Any]) -> None:
    """Note what the names of task and model of a run with these `parameters` stand for.

    Raises
    ------
    InputError
        If one of them is the name of another task or model already.
    """
    for kind, path, claim in _claims(parameters):
        kept = files.remembered(path, lambda claim=claim: claim)
        if kept != claim:
            raise InputError(_sentence(kind, path, claim))


def conflict(parameters: Mapping[str, Any]) -> str:
    """Return the sentence with which `claim_names` would refuse these `parameters`, else an empty string."""
    for kind, path, claim in _claims(parameters):
        if path.is_file() and files.remembered(path, lambda: {}) != claim:
            return _sentence(kind, path, claim)
    return ""


def _claims(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """Yield ``task`` and ``model`` of a run, the file that keeps the name, and what it says."""
    meanings = {"task": _meaning_of_task, "model": _meaning_of_model}
    for (kind, meaning), label in zip(meanings.items(), files.labels(parameters), strict=True):
        if parameters.get(kind) is not None:
            whole = meaning(parameters)
            shown = str(provenance.scrubbed({kind: whole}, files.working_root())[kind])
            digest = hashlib.sha256(whole.encode()).hexdigest()
            path = files.runs_root() / "names" / f"{kind}s" / f"{files.slug(label)}.json"
            yield kind, path, {"name": label, "stands_for": shown, "sha256": digest}


def _meaning_of_task(parameters: Mapping[str, Any]) -> str:
    kind, path, corruption = files.split_task(parameters["task"])
    return f"{kind}:{files.resolved(path)}{corruption}" if path else kind


def _meaning_of_model(parameters: Mapping[str, Any]) -> str:
    model, checkpoint = parameters["model"], parameters.get("checkpoint")
    return model if checkpoint is None else f"{model}@{files.resolved(checkpoint)}"


def _sentence(kind: str, path: Path, claim: Mapping[str, str]) -> str:
    kept = files.remembered(path, lambda: {})
    owner = kept.get("stands_for", "another") if isinstance(kept, dict) else "another"
    other = f"another {kind}, {owner}" if owner != claim["stands_for"] else f"another {kind} of that path"
    return (
        f"expected a name of its own for the {kind} {claim['stands_for']}, but {claim['name']!r} is taken by {other}; "
        f"give it --{kind}-name (in a grid file: name: ...), or remove {path} if the old results are not needed"
    )
