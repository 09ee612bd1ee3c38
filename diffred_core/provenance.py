"""Which code and which versions a result came from; no heavy import is needed to say so."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

Rules = list[tuple[re.Pattern[str], str]]

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


def machine() -> str:
    """Return the processor of this machine and how many of its cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # elsewhere than on Linux
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def commit() -> tuple[str | None, bool | None]:
    """Return the commit of the checkout that holds this package and whether it has changes, or two Nones."""
    try:
        return _git("rev-parse", "HEAD"), bool(_git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def path_rules(root: Path, parameters: Mapping[str, object] | None = None) -> Rules:
    """Return pattern and replacement for every folder that tells about this machine, the longest path first.

    Parameters
    ----------
    root : Path
        The checkout; paths in it become relative.
    parameters : mapping, optional
        Of a run: a path in them that lies in none of the folders, ``folder:/data/of/birds``, keeps its last part.
    """
    folders = {
        str(root): ".",
        sys.prefix: "<environment>",
        sys.base_prefix: "<python>",
        tempfile.gettempdir(): "<tmp>",
        str(Path.home()): "~",
    }
    known = [Path(folder) for folder in folders if len(Path(folder).parts) > 1]
    for path in map(Path, _absolute_paths(parameters or {})):
        if not any(path.is_relative_to(folder) for folder in known):
            folders[str(path)] = f"<elsewhere>/{path.name}"
    named = sorted(folders, key=len, reverse=True)
    # A cell's file is /tmp/ipykernel_<pid>/<hash>.py: the process number differs in every run.
    rules = [
        (re.compile(rf"{re.escape(tempfile.gettempdir())}/ipykernel_\d+/\d+\.py"), "<cell>"),
        (re.compile(r" at 0x[0-9a-fA-F]+>"), ">"),  # nor is the address of an object the same twice
    ]
    # Not inside a longer word: an image in base64 may well contain "/root"; a task may go on with "+noise:1".
    return rules + [
        (re.compile(rf"(?<![\w+/]){re.escape(folder)}(?!\w|\+(?!\w+:\d))"), folders[folder])
        for folder in named
        if len(Path(folder).parts) > 1
    ]


def scrub_text(text: str, rules: Rules) -> str:
    """Return `text` with every rule applied."""
    for pattern, replacement in rules:
        text = pattern.sub(replacement.replace("\\", r"\\"), text)
    return text


def scrub_value(value: object, rules: Rules) -> object:
    """Return a JSON `value` with every rule applied to each text in it, raster images left alone."""
    if isinstance(value, str):
        return scrub_text(value, rules)
    if isinstance(value, list | tuple):
        return [scrub_value(element, rules) for element in value]
    if isinstance(value, dict):
        return type(value)(
            {k: v if k in ("image/png", "image/jpeg") else scrub_value(v, rules) for k, v in value.items()}
        )
    return value


def scrubbed(parameters: Mapping[str, object], root: Path) -> dict[str, object]:
    """Return the `parameters` of a run as they are published: without the paths of this machine."""
    rules = path_rules(root, parameters)
    return {name: scrub_value(value, rules) for name, value in parameters.items()}


def _absolute_paths(value: object) -> Iterator[str]:
    """Yield the absolute paths that a value of parameters is or names: ``folder:/data/of/birds+noise:1``."""
    if isinstance(value, str) and (match := re.fullmatch(r"(?:[\w-]+:)?(/.*?[^/])/*(?:\+\w+:\d+)?", value)):
        yield match[1]
    elif isinstance(value, list | tuple):
        for element in value:
            yield from _absolute_paths(element)
    elif isinstance(value, Mapping):
        yield from _absolute_paths(list(value.values()))


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
