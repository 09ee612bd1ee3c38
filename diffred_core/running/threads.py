"""How many threads the linear algebra of a process takes, said through its environment."""

from __future__ import annotations

VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def thread_environment(threads: int) -> dict[str, str]:
    """Return the variables that hold torch, MKL, OpenBLAS and their like to `threads` threads, read at import."""
    return dict.fromkeys(VARIABLES, str(threads))
