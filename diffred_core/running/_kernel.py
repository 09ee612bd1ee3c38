"""One private kernel: this Python, its own sockets and settings, killed when its run ends."""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.client import KernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.utils import run_sync
from traitlets import Dict

from diffred_core import files
from diffred_core.running import warm
from diffred_core.running.threads import thread_environment

KERNEL_NAME = "python3"
# `ru_maxrss` counts KiB, on macOS bytes; Windows has no `resource`, and psutil knows the peak only there.
PEAK_MEMORY = (
    "__import__('psutil').Process().memory_info().peak_wset // 2**20"
    if sys.platform == "win32"
    else f"__import__('resource').getrusage(0).ru_maxrss // {2**20 if sys.platform == 'darwin' else 2**10}"
)
# Asked of the kernel after the last cell; torch is only looked up, so that a notebook without it stays without it.
USE = {
    "device": (
        "(lambda t: t.cuda.get_device_name() if t and t.cuda.is_available() and t.cuda.is_initialized() else 'cpu')"
        "(__import__('sys').modules.get('torch'))"
    ),
    "peak_memory_mb": PEAK_MEMORY,
}


class OwnSpec(KernelSpecManager):
    """Knows one kernel, the running Python, whatever kernels are installed under the same name elsewhere."""

    environment = Dict()

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the specification of the running Python with `environment`."""
        module = ["diffred_core.running.warm"] if warm.ADDRESS in os.environ else []
        options = ["-f", "{connection_file}", "--HistoryManager.enabled=False"]
        argv = [sys.executable, "-m", *module, "ipykernel_launcher", *options]
        return KernelSpec(argv=argv, env=self.environment, display_name="Python 3", language="python")


class Manager(AsyncKernelManager):
    """Remembers the clients it gives out: papermill does not close that of a manager that it was lent."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.clients: list[KernelClient] = []

    def client(self, **options: Any) -> Any:  # the two classes above promise two kinds of client
        """Return a new client of the kernel."""
        self.clients.append(super().client(**options))
        return self.clients[-1]

    def close(self) -> None:
        """Close every client and remove what is left of the kernel."""
        for client in self.clients:
            client.stop_channels()
        if self.has_kernel:
            run_sync(self.shutdown_kernel)(now=True)


@dataclass
class Kernel:
    """A kernel manager, and whether the limit on the whole run has struck."""

    manager: Manager
    expired: bool = False

    def expire(self) -> None:
        """Kill the kernel because its time is up; safe to call from another thread."""
        self.expired = True
        self.kill()

    def kill(self) -> None:
        """Kill the kernel and what it has started; the client then reports a dead kernel."""
        provisioner = self.manager.provisioner
        if not isinstance(provisioner, LocalProvisioner) or provisioner.process is None:
            return
        if not provisioner.pgid:  # Windows knows no process groups
            provisioner.process.kill()
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(provisioner.pgid, signal.SIGKILL)

    def use(self) -> tuple[str, int]:
        """Return the device that the kernel computed on and its peak memory in MiB."""
        client = self.manager.blocking_client()
        client.start_channels()
        try:
            reply = client.execute("", silent=True, user_expressions=USE, reply=True, timeout=10)
        finally:
            client.stop_channels()
        answers = reply["content"]["user_expressions"]
        device, peak_memory_mb = (ast.literal_eval(answers[name]["data"]["text/plain"]) for name in USE)
        return device, peak_memory_mb


@contextlib.contextmanager
def private_kernel(*, threads: int, timeout: float | None, variables: Mapping[str, str]) -> Iterator[Kernel]:
    """Give the manager of a kernel that starts on demand and is killed at the end, or after `timeout` seconds.

    Local sockets instead of TCP ports: two kernels cannot take the same port, and on a shared machine nobody
    else can connect.
    """
    with warm.short_folder() as folder:
        manager = Manager(
            kernel_name=KERNEL_NAME,
            kernel_spec_manager=OwnSpec(environment=kernel_environment(folder, variables, threads=threads)),
            connection_file=str(folder / "kernel.json"),
            **({"transport": "ipc", "ip": str(folder / "k")} if os.name == "posix" else {}),
        )
        kernel = Kernel(manager)
        limit = threading.Timer(timeout or threading.TIMEOUT_MAX, kernel.expire)
        limit.daemon = True
        try:
            if timeout is not None:
                limit.start()
            yield kernel
        finally:
            limit.cancel()
            kernel.kill()
            manager.close()


def kernel_environment(folder: Path, variables: Mapping[str, str], *, threads: int) -> Mapping[str, str]:
    """Return the environment variables that make one run like another, whoever starts it, and `variables` of this one.

    ``DIFFRED_TERMINAL`` among them names where an extraction shows its bar, `files.TABLE` where the table goes.
    """
    return {
        **thread_environment(threads),
        **warm.READ_AT_START,
        "IPYTHONDIR": str(folder / "ipython"),  # no start-up scripts of the reader's own
        "TQDM_DISABLE": "1",  # a bar in a page would be one line a tick
        **dict.fromkeys(
            (files.TABLE, files.OWN_TABLES, files.KEPT), ""
        ),  # nothing of a run that this one is started from
        **variables,
    }
