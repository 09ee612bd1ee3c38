"""A real SLURM of one node in a folder: munge, controller and node as the user who runs the tests, no accounting."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from small_checkout import wait_for

DAEMONS = ("munged", "slurmctld", "slurmd")
SYSTEM = "/usr/sbin:/sbin"  # where Debian has the daemons; not on every user's PATH
CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
ReturnToService=2
MailProg=/bin/true
KillWait=2
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Return the daemons that are not installed."""
    return [name for name in DAEMONS if shutil.which(name, path=f"{os.environ['PATH']}:{SYSTEM}") is None]


class OneNode:
    """The cluster while it runs; `environment` leads the commands of SLURM to it."""

    def __init__(self, folder: Path, *, cpus: int, memory: int) -> None:
        self.folder = folder
        path = f"{folder / 'bin'}:{os.environ['PATH']}:{SYSTEM}"
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("state", "spool", "bin"):
            (folder / name).mkdir()
        # Snakemake clears SLURM's variables for the step of a job: on most clusters the configuration is in /etc.
        srun = folder / "bin" / "srun"
        srun.write_text(
            f'#!/bin/sh\nSLURM_CONF={shlex.quote(self.environment["SLURM_CONF"])} exec {shutil.which("srun")} "$@"\n'
        )
        srun.chmod(0o755)
        host = socket.gethostname().partition(".")[0]
        facts = {"host": host, "user": getpass.getuser(), "ports": free_ports(2), "cpus": cpus, "memory": memory}
        (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder, **facts))
        (folder / "munge.key").write_bytes(secrets.token_bytes(128))
        (folder / "munge.key").chmod(0o600)

    def start(self) -> None:
        """Start the daemons and wait until the node takes jobs."""
        places = {"key": "key", "socket": "socket", "pid": "pid-file", "log": "log-file", "seed": "seed-file"}
        places["key"] = "key-file"
        options = [f"--{option}={self.folder}/munge.{name}" for name, option in places.items()]
        self._start("munged", "--foreground", "--force", *options)
        wait_for((self.folder / "munge.socket").exists)
        self.start_controller()
        self._start("slurmd", "-D")
        wait_for(lambda: self.said("sinfo", "--noheader", "--format=%t").strip() == "idle")

    def start_controller(self, *options: str) -> None:
        """Start the controller; with ``-c`` it forgets every job that it knew."""
        self._start("slurmctld", "-D", *options)
        wait_for(lambda: "UP" in self.said("scontrol", "ping"))

    def stop(self, name: str) -> None:
        """End one daemon."""
        process = self._running.pop(name)
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self) -> None:
        """End every job and daemon."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(["scancel", f"--user={getpass.getuser()}"], env=self._environment, timeout=20, check=False)
        for name in reversed(list(self._running)):
            self.stop(name)

    def said(self, *command: str) -> str:
        """Return what a command of SLURM prints."""
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    def _start(self, name: str, *options: str) -> None:
        # A session of its own: an interruption of the tests is theirs, the cluster ends with `stop_all`.
        with open(self.folder / f"{name}.out", "ab") as out:
            command = [str(shutil.which(name, path=self.environment["PATH"])), *options]
            self._running[name] = subprocess.Popen(
                command, env=self._environment, stdout=out, stderr=out, start_new_session=True
            )


@contextlib.contextmanager
def one_node(folder: Path, *, cpus: int, memory: int) -> Iterator[OneNode]:
    """Give a cluster of one node with `cpus` processors and `memory` MiB that lives in `folder`, and end it."""
    node = OneNode(folder, cpus=cpus, memory=memory)
    try:
        node.start()
        yield node
    finally:
        node.stop_all()


def free_ports(n: int) -> list[int]:
    """Return `n` ports that nobody listens at now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
