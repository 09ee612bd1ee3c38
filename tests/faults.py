"""Means to break things for real: folders that cannot be written, disks that are full."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


def as_anybody() -> list[str]:
    """Return the words in front of a command that make permissions bind it, also where root runs the tests."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root passes over permissions, and there is no setpriv to give that up")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write from `folder` and all folders below it."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path in folders:
            path.chmod(0o755)


@contextlib.contextmanager
def full_disk(*, at: int) -> Iterator[None]:
    """Let the system refuse files larger than `at` bytes, as a full disk does: half-way through the write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
