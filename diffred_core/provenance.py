"""Which code and which versions a result came from; no heavy import is needed to say so."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = ("diffred-core", "torch", "numpy", "pandas", "scipy", "timm", "torchvision", "openvino")


def versions() -> dict[str, str]:
    """Return the version of Python and of each installed package of `PACKAGES`."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed


def commit() -> tuple[str | None, bool | None]:
    """Return the commit of the checkout that holds this package and whether it has changes, or two Nones."""
    try:
        return _git("rev-parse", "HEAD"), bool(_git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
