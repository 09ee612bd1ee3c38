"""A GPU each for the jobs of a grid that run side by side on one machine: a pool of file locks, one a GPU."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from diffred_core import files

VISIBLE = "CUDA_VISIBLE_DEVICES"
PAUSE = 0.2  # seconds between looks at the locks, where all GPUs are taken


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    if (listed := os.environ.get(VISIBLE)) is not None:
        return [name.strip() for name in listed.split(",") if name.strip()]
    # By name: CUDA counts the fastest first, nvidia-smi by slot.
    query = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []


@contextlib.contextmanager
def gpu_of_its_own(arguments: Sequence[str]) -> Iterator[None]:
    """Let the job of a grid that computes on "cuda" see one GPU alone for the length of the block; wait for a free one.

    Left as they are: a job for a GPU by number (``cuda:1``), a run that somebody has started by hand, and jobs of
    SLURM, which gives out its GPUs itself.
    """
    asks = "--stamp" in arguments and ("--device", "cuda") in itertools.pairwise(arguments)
    gpus = visible_gpus() if asks and "SLURM_JOB_ID" not in os.environ else []
    if not gpus:
        yield
        return
    with _first_free(gpus) as gpu:
        os.environ[VISIBLE] = gpu
        yield


@contextlib.contextmanager
def _first_free(gpus: Sequence[str]) -> Iterator[str]:
    """Hold the lock of a GPU; it is the system's, which releases it when its owner dies."""
    from filelock import FileLock, Timeout

    while True:
        for gpu in gpus:
            lock = FileLock(_lock(gpu))
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=0)
                try:
                    yield gpu
                finally:
                    lock.release()
                return
        time.sleep(PAUSE)


def _lock(gpu: str) -> Path:
    # The folder may be shared between machines.
    path = files.runs_root() / "logs" / "gpus" / f"{files.slug(f'{socket.gethostname()}-{gpu}')}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
