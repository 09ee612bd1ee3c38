"""What a table was made from: parameters, code, versions, device, features and time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from diffred_core import provenance


def collect_provenance(
    parameters: Mapping[str, object],
    *,
    feature_keys: Mapping[str, str] | None = None,
    device: str = "cpu",
    started: float | None = None,
) -> dict[str, object]:
    """Return what is written beside a table: enough to say which code and which inputs made it.

    Parameters
    ----------
    parameters : mapping
        The parameters of the run, JSON values only.
    feature_keys : mapping of split to key, optional
        Keys of the feature stores that were read.
    device : str, default="cpu"
        Where the tensors lived.
    started : float, optional
        ``time.perf_counter()`` at the start of the run; gives ``wall_seconds``.
    """
    commit, dirty = provenance.commit()
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": dict(parameters),
        "feature_keys": dict(feature_keys or {}),
        "commit": commit,
        "dirty": dirty,
        "versions": provenance.versions(),
        "device": device,
        "wall_seconds": None if started is None else round(time.perf_counter() - started, 3),
    }


def provenance_path(path: Path) -> Path:
    """Return the place of the provenance of the table at `path`: ``<name>.provenance.json`` beside it."""
    return Path(path).with_suffix(".provenance.json")
