"""Snakemake as a process that says what becomes of its jobs: one JSON object a line, through its logger plugins.

``python -m diffred_core.running._events`` takes ``runs/logs/grid.lock``, which it locks while it runs, and the options
of ``snakemake``. Standard output carries the events alone; all that Snakemake and its rules print goes to standard
error. It ends with its jobs as soon as the process that has started it is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from logging import LogRecord
from pathlib import Path
from types import SimpleNamespace

from filelock import FileLock
from snakemake import common
from snakemake.cli import main
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from diffred_core.running import _slurm

OUTPUT = 1


class LogHandler(LogHandlerBase):
    """The plugin: Snakemake finds it by the name of this class."""

    writes_to_stream = writes_to_file = has_filter = has_formatter = needs_rulegraph = False
    events: int = OUTPUT  # the file descriptor that takes them

    def emit(self, record: LogRecord) -> None:
        """Write what `record` tells of a job, or of how many there are."""
        if event := described(record):
            os.write(self.events, json.dumps(event).encode() + b"\n")


def described(record: LogRecord) -> dict[str, object] | None:
    """Return what a record of Snakemake's log tells, None if it is of no interest here."""
    fields = vars(record)
    match fields.get("event"):
        case LogEvent.RUN_INFO:
            return {"kind": "total", "total": fields["stats"]["total"]}
        case LogEvent.JOB_INFO:
            job = {
                "rule": fields["rule_name"],
                "wildcards": dict(fields["wildcards"]),
                "log": str(next(iter(fields["log"]), "")),
                "reason": fields["reason"],
            }
            return {"kind": "started", "jobid": fields["jobid"], "job": job}
        case LogEvent.JOB_ERROR:
            return {"kind": "failed", "jobid": fields["jobid"], "reason": fields.get("rule_msg") or ""}
        case LogEvent.JOB_FINISHED:
            return {"kind": "finished", "jobid": fields["job_id"]}
    return None


def folders_in(runs: Path) -> SimpleNamespace:
    """Return the folders of Snakemake with its cache in `runs`: the home of who runs it may not be writable."""
    known = common.get_appdirs()
    own = {"user_config_dir": known.user_config_dir, "site_config_dir": known.site_config_dir}
    return SimpleNamespace(user_cache_dir=str(runs / ".snakemake" / "cache"), **own)


def end_with_parent(parent: int) -> None:
    """Interrupt this process and its jobs once `parent`, which has started it, is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(os.getpgrp(), signal.SIGINT) if os.getpgrp() == os.getpid() else signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    # started behind a shell's `&` it would ignore the signal by which a grid ends it and its jobs
    signal.signal(signal.SIGINT, signal.default_int_handler)
    LogHandler.events = os.dup(OUTPUT)
    os.dup2(sys.stderr.fileno(), OUTPUT)
    LoggerPluginRegistry().register_plugin("snakemake_logger_plugin_diffred", sys.modules[__name__])
    _slurm.install()
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    lock, *options = sys.argv[1:]
    if "--dry-run" not in options:
        held = FileLock(lock)  # until this process ends, however it does
        held.acquire(timeout=0)
    common.APPDIRS = folders_in(Path(lock).parents[1])
    main(["--logger", "diffred", *options])
