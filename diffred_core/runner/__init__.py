"""Run one notebook with papermill, safely, and keep a record of it."""

from __future__ import annotations

from diffred_core.records import Record as Record
from diffred_core.records import failed_path as failed_path
from diffred_core.records import read_record as read_record
from diffred_core.runner._run import NotebookError as NotebookError
from diffred_core.runner._run import run_notebook as run_notebook
