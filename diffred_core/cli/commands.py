"""The application with all of its commands."""

from __future__ import annotations

from diffred_core.cli import _grid_commands as _grid_commands
from diffred_core.cli import _kept_commands as _kept_commands
from diffred_core.cli import _list_commands as _list_commands
from diffred_core.cli import _prepare_command as _prepare_command
from diffred_core.cli import _report_command as _report_command
from diffred_core.cli import _run_commands as _run_commands
from diffred_core.cli._app import app as app
