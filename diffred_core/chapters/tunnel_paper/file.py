"""Which table of results is read: the published rows, which the package restates, or a file of the reader's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

COMMIT = "9f219d9c4f535fe686bdba81007db03a0f7028f3"
# of the authors' repository, under the MIT licence; its 512 rows are restated as `results.published.tunnel_rows`
SOURCE = f"https://github.com/yousuf907/Tunnel/blob/{COMMIT}/shap_analysis/experiments_results.csv"
# Of the text with line ends "\n", so that a checkout that converts them is the same file.
SHA256 = "76239f80f856361966e7901d29be9f95c3979f3b967750ec3a04943525857f95"


def is_published(path: Path | str | None) -> bool:
    """Return whether `path` is the table as published, line ends aside; None stands for its rows in this package."""
    return path is None or digest(path) == SHA256


def digest(path: Path | str | None) -> str:
    """Return the SHA-256 of the file at `path` with line ends as published, hexadecimal; None as in `is_published`."""
    if path is None:
        return SHA256
    return hashlib.sha256(Path(path).read_bytes().replace(b"\r\n", b"\n")).hexdigest()
