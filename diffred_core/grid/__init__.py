"""Models x tasks x analyses: what a grid says, what of it is done, and running the rest with Snakemake."""

from __future__ import annotations

from diffred_core.grid._definition import FEATURES as FEATURES
from diffred_core.grid._definition import Entry as Entry
from diffred_core.grid._definition import Grid as Grid
from diffred_core.grid._definition import arguments as arguments
from diffred_core.grid._definition import needs_features as needs_features
from diffred_core.grid._definition import read_grid as read_grid
from diffred_core.grid._digests import BOOK as BOOK
from diffred_core.grid._digests import digest_path as digest_path
from diffred_core.grid._digests import write_digests as write_digests
from diffred_core.grid._snakemake import GridFailure as GridFailure
from diffred_core.grid._snakemake import dry_run_of as dry_run_of
from diffred_core.grid._snakemake import run_grid as run_grid
from diffred_core.grid._snakemake import unlock_grid as unlock_grid
from diffred_core.grid._stamps import drop_broken_stamps as drop_broken_stamps
from diffred_core.grid._stamps import write_stamp as write_stamp
