"""Files that a run may write beside its notebook: which it wrote, and as they were before when it fails."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path


def state_of(path: Path) -> tuple[int, ...] | None:
    """Return what changes when the file at `path` is written, whatever the clocks say; None where there is none."""
    if not path.is_file():
        return None
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@contextlib.contextmanager
def put_back(paths: Iterable[Path]) -> Iterator[None]:
    """Make the files at `paths` what they were before when the block fails or is interrupted, new ones gone."""
    before = {path: state_of(path) for path in paths}
    kept = {path: path.with_name(f".{path.name}.{os.getpid()}.kept") for path, state in before.items() if state}
    try:
        for path, copy in kept.items():
            shutil.copy2(path, copy)
        yield
    except BaseException:
        for path, state in before.items():
            if state_of(path) == state:
                continue
            kept[path].replace(path) if state else path.unlink(missing_ok=True)
        raise
    finally:
        for copy in kept.values():
            copy.unlink(missing_ok=True)
