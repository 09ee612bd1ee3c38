"""The authors' table of results: where it lies, and where it comes from."""

from __future__ import annotations

import hashlib
import urllib.request
from http.client import HTTPException
from pathlib import Path

from tqdm import tqdm

from diffred_core import files
from diffred_core.errors import InputError

COMMIT = "9f219d9c4f535fe686bdba81007db03a0f7028f3"
SOURCE = f"https://raw.githubusercontent.com/yousuf907/Tunnel/{COMMIT}/shap_analysis/experiments_results.csv"
# Of the text with line ends "\n", so that a checkout that converts them is the same file.
SHA256 = "76239f80f856361966e7901d29be9f95c3979f3b967750ec3a04943525857f95"
_SECONDS = 30


def find_results(path: Path | str | None = None, *, source: str = SOURCE, progress: bool = True) -> Path:
    """Return the path of the table of Harun et al. (2024), downloading it once if it is nowhere.

    Parameters
    ----------
    path : path, optional
        A copy of the file. By default ``tunnel/experiments_results.csv`` under `files.data_root`.
    source : str
        Address from which it is downloaded there: the authors' repository at a fixed commit.
    progress : bool, default=True
        Show a bar over the download.

    Returns
    -------
    Path
        Of an existing file. What was downloaded is the published file, by its checksum; a file given by `path` may be
        another one (`is_published`).

    Raises
    ------
    InputError
        If there is no file at `path`, or the table can neither be found nor downloaded whole.
    """
    if path is not None:
        found = Path(path).expanduser()
        if not found.is_file():
            raise InputError(
                f"expected path to be the table experiments_results.csv of Harun et al. (2024), but there is no file "
                f"{str(found)!r}; leave path out to have it downloaded"
            )
        return found
    place = files.data_root() / "tunnel" / "experiments_results.csv"
    if not (place.is_file() and is_published(place)):
        files.write_text(place, _download(source, place, progress=progress))
    return place


def is_published(path: Path | str) -> bool:
    """Return whether the file at `path` is the table as published, line ends aside."""
    return digest(path) == SHA256


def digest(path: Path | str) -> str:
    """Return the SHA-256 of the file at `path` with line ends as published, hexadecimal."""
    return _digest(Path(path).read_bytes())


def _download(source: str, place: Path, *, progress: bool) -> str:
    try:
        content = _read(source, progress=progress)
    except (OSError, HTTPException) as error:  # urllib's own errors are among the first
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"expected the table of Harun et al. (2024) at {str(place)!r} or from {source}, got neither ({reason}); "
            "connect once, or pass path=... to a copy of the file"
        ) from error
    if _digest(content) != SHA256:
        raise InputError(
            f"expected the published table from {source}, got {len(content)} bytes with another checksum; try again, "
            "or pass path=... to a copy of the file"
        )
    return content.decode("utf-8")


def _read(source: str, *, progress: bool) -> bytes:
    with urllib.request.urlopen(source, timeout=_SECONDS) as answer:
        total = int(answer.headers.get("Content-Length") or 0) or None
        with tqdm.wrapattr(answer, "read", total=total, desc="experiments_results.csv", disable=not progress) as body:
            return body.read()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
