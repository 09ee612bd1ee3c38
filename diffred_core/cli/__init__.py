"""The command line ``diffred``; bad input prints one sentence and exits with 2, a failed run exits with 1."""

from __future__ import annotations

import sys

from diffred_core.errors import MissingLibrary, needs


def main() -> None:
    """Run the command that the process was given, or say which extra brings the libraries of the command line."""
    try:
        with needs("run"):
            from diffred_core.cli.commands import app
    except MissingLibrary as error:
        print(f"diffred: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    app(prog_name="diffred")
