"""Snakemake's SLURM executor, with two things that it lacks: an end of jobs that the cluster has lost, whole groups.

A job that the controller no longer knows, as after a restart without its state, the executor would wait for until
somebody stops the grid. And in a group of cells one that fails would keep those behind it from running.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncGenerator

import snakemake_executor_plugin_slurm as plugin
from snakemake_executor_plugin_slurm import ExecutorSettings as ExecutorSettings
from snakemake_executor_plugin_slurm import common_settings as common_settings
from snakemake_executor_plugin_slurm.job_status_query import query_job_status, query_job_status_squeue
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

PATIENCE = 3  # checks in a row: accounting may lag behind the queue


class Executor(plugin.Executor):  # type: ignore[misc]  # of the plugin nothing has a type
    """The plugin's, by the name under which Snakemake finds it."""

    def __post_init__(self, *options: object, **more: object) -> None:
        """Begin without a job missed."""
        self.missed: Counter[str] = Counter()
        super().__post_init__(*options, **more)

    def report_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **options: object) -> None:
        """Report that a job has failed; of a group with the reason, which Snakemake leaves out, for each cell."""
        if job_info.job.is_group():
            for job in job_info.job.jobs:
                self.logger.error(msg, extra=job.get_log_error_info(msg))
        super().report_job_error(job_info, msg=msg, **options)

    def additional_general_args(self) -> str:
        """Return the options of the Snakemake inside a job."""
        return f"{super().additional_general_args()} --keep-going"

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Yield the jobs that still wait or run; of the others report what became of them, of lost ones a failure."""
        waiting = [job async for job in super().check_active_jobs(active_jobs)]
        known = await self._known() if waiting else None
        for job in waiting:
            name = str(job.external_jobid)
            self.missed[name] = 0 if known is None or name in known else self.missed[name] + 1
            if self.missed[name] < PATIENCE:
                yield job
            else:
                self.report_job_error(job, msg=f"the cluster has lost its job {name}")

    async def _known(self) -> set[str] | None:
        """Return the jobs that the controller knows, None if it does not answer."""
        states, _ = await query_job_status(query_job_status_squeue(self.run_uuid), self.logger)
        # of an array each task, and the whole
        return None if states is None else set(states) | {name.partition("_")[0] for name in states}


def install() -> None:
    """Have Snakemake take this executor for ``--executor slurm``."""
    registry = ExecutorPluginRegistry()
    registry.plugins.pop("slurm", None)
    registry.register_plugin("snakemake_executor_plugin_slurm", sys.modules[__name__])
