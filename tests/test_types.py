"""Types that wait to be written: how many errors mypy finds in the rooms where it is told to ignore them.

A part of ``make lint``, which has asked mypy already.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
WAITING = {  # errors of mypy by room, where pyproject.toml ignores them: a number may only shrink
    **{"backbones": 7, "chapters": 112, "cli": 7, "datasets": 5, "drawing": 15, "estimators": 32, "features": 8},
    **{"small_networks": 0, "staging": 34},
}


def ignored(text: str) -> set[str]:
    """Return the rooms whose types mypy does not check, by the settings in `text`."""
    overrides = tomllib.loads(text)["tool"]["mypy"]["overrides"]
    modules = [name for o in overrides if o.get("ignore_errors") for name in o["module"]]
    return {name.removeprefix("diffred_core.").removesuffix(".*") for name in modules}


def test_what_waits_for_types_is_known():
    text = (ROOT / "pyproject.toml").read_text()
    assert ignored(text) <= set(WAITING)
    assert not ignored(text.replace('"diffred_core.cli.*"', '"diffred_core.cka.*"')) <= set(WAITING)


def test_errors_that_wait_for_types_only_shrink(tmp_path, request):
    settings = (ROOT / "pyproject.toml").read_text().replace("ignore_errors = true", "ignore_errors = false")
    (tmp_path / "pyproject.toml").write_text(settings)
    places = {"config-file": tmp_path / "pyproject.toml", "cache-dir": request.config.cache.mkdir("mypy")}
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--python-version=3.11",
        *(f"--{name}={path}" for name, path in places.items()),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    rooms = Counter(re.findall(r"^diffred_core/(\w+).*: error: ", done.stdout, re.MULTILINE))
    assert f"Found {sum(rooms.values())} errors" in done.stdout, done.stderr  # all are read; none needs no such test
    assert {room: number for room, number in rooms.items() if number > WAITING.get(room, 0)} == {}, done.stdout
