"""A process that has imported what every job of a grid imports, and forks itself for each: imports are paid once.

``python -m diffred_core.running.warm MODULE ARGUMENTS`` runs MODULE as ``python -m`` does: in a fork of the process
that a `Warm` has started, where ``$DIFFRED_WARM`` leads to one and one thread is wanted, else in this process.
Folder, environment, standard streams, signals and exit code are those of the command either way. Only libraries are
imported beforehand, nothing of this package: a job runs the code that is on disk when it starts.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING

from diffred_core.running._gpu_slots import gpu_of_its_own
from diffred_core.running.threads import thread_environment

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess

ADDRESS = "DIFFRED_WARM"
THREADS = "OMP_NUM_THREADS"  # read when torch is imported, so a fork has the number of the process that it is made from
LIBRARIES = (
    *("torch", "pandas", "pyarrow", "scipy.stats", "sklearn.datasets", "matplotlib.pyplot", "seaborn"),
    *("pandera.pandas", "pandera.strategies.pandas_strategies", "safetensors.torch", "torchvision", "timm"),
    *("ipykernel.kernelapp", "matplotlib_inline.backend_inline", "papermill", "nbclient", "psutil", "typer"),
)
"""What most jobs import; one that is not installed is left out."""
READ_AT_START = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # an exported Agg would lose every figure
    "PYTHONDONTWRITEBYTECODE": "",  # else every kernel compiles torch and pandas anew
    "PYTHONHASHSEED": "0",
}
"""What Python and the libraries read but once, of the environment of every kernel (`_kernel.kernel_environment`)."""


class Warm:
    """A process that is started when it pays and ends with the block that holds this; `variables` lead commands to it.

    Empty elsewhere than on Linux, where a fork of a process with these libraries may crash, and for jobs that do not
    run `here`: a job of a cluster must not end up outside of what the cluster gave it.
    """

    def __init__(self, *, here: bool = True) -> None:
        self._here = here

    def __enter__(self) -> Warm:
        self._stack = contextlib.ExitStack()
        self._address = str(self._stack.enter_context(short_folder()) / "warm")
        self.variables = {ADDRESS: self._address} if self._here and sys.platform == "linux" else {}
        return self

    def start(self) -> None:
        """Start the process; commands find it as soon as it has imported the libraries."""
        if not self.variables:
            return
        code = f"from diffred_core.running.warm import serve; serve({self._address!r}, {LIBRARIES!r})"
        # It ends when its standard input does, and so does not outlive this process, whatever kills that.
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **thread_environment(1), **READ_AT_START},
        )
        self._stack.callback(process.communicate)
        self._stack.callback(process.terminate)

    def __exit__(self, *error: object) -> None:
        self._stack.close()


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """Give a new folder that only this user can open, for local sockets, and remove it at the end."""
    # The path of a local socket is limited to about 100 characters, and a cluster's TMPDIR may be longer.
    chosen = tempfile.gettempdir()
    parent = chosen if len(chosen) < 60 or os.name != "posix" else "/tmp"
    folder = Path(tempfile.mkdtemp(prefix="dr-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def serve(address: str, libraries: Iterable[str]) -> None:
    """Import `libraries`, then fork for every command that comes in at `address`, until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption reaches the jobs through their commands
    for library in libraries:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    gc.collect()
    gc.freeze()  # else the first collection of every fork would copy all of these objects
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        _serve(listener)
    for job in active_children():
        job.join()
    os._exit(0)  # to take so many libraries apart would take a second


@dataclass(frozen=True)
class Command:
    """A command as it came in: what ``python -m`` would have been given."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]

    @property
    def ending(self) -> signal.Signals:
        """How to end a job whose client is gone: a run of a notebook leaves in good order, a kernel need not."""
        return signal.SIGKILL if self.arguments[0].startswith("ipykernel") else signal.SIGTERM

    def run(self, client: socket.socket, others: Sequence[socket.socket]) -> None:
        """Become, in a fork, what the process at the other end of the socket `client` would have been."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        client.sendall(b"%d\n" % os.getpid())
        for end in (client, *others):
            end.close()
        for stream, number in enumerate(self.streams):
            os.dup2(number, stream)
            os.close(number)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 (multiprocessing has given the fork another)
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        if "JPY_PARENT_PID" in os.environ:  # by which a kernel ends when its parent does
            os.environ["JPY_PARENT_PID"] = str(os.getppid())
        for name in [name for name in sys.modules if name.partition(".")[0] == "diffred_core"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        run_here(self.arguments)


@dataclass(eq=False)
class _Job:
    """A fork, and the client that waits for its end."""

    command: Command
    process: ForkProcess
    client: socket.socket

    def end(self) -> None:
        """End the job before its time."""
        if self.process.is_alive() and self.process.pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it has ended just now
                os.killpg(self.process.pid, self.command.ending)

    def report(self) -> None:
        """Tell the client the exit code of the job, which has ended."""
        self.process.join()
        with contextlib.suppress(OSError):  # the client is gone
            self.client.sendall(f"{self.process.exitcode}\n".encode())
        self.client.close()


def _serve(listener: socket.socket) -> None:
    """Fork for every client, report how its job ended, and end the job of a client that is gone."""
    selector = selectors.DefaultSelector()
    for source in (sys.stdin, listener):
        selector.register(source, selectors.EVENT_READ)
    while True:
        (key, _), *_ = selector.select()
        jobs = {key.data for key in selector.get_map().values() if key.data}
        if key.fileobj is sys.stdin:
            for job in jobs:
                job.end()
            return
        if key.fileobj is listener:
            job = _forked(listener, [job.client for job in jobs])
            for source in (job.process.sentinel, job.client):
                selector.register(source, selectors.EVENT_READ, job)
            continue
        selector.unregister(key.fileobj)
        if key.fileobj is key.data.client:
            key.data.end()
        else:
            with contextlib.suppress(KeyError):  # the client has gone before
                selector.unregister(key.data.client)
            key.data.report()


def _forked(listener: socket.socket, others: Sequence[socket.socket]) -> _Job:
    """Fork for the client that waits at the `listener`; the fork gives up the sockets of the `others`."""
    client, _ = listener.accept()
    _, streams, _, _ = socket.recv_fds(client, 1, 3)
    arguments, folder, environment = json.loads(client.makefile("rb").readline())
    command = Command(arguments, folder, environment, streams)
    process = get_context("fork").Process(target=command.run, args=(client, [listener, *others]))
    process.start()
    for stream in streams:
        os.close(stream)
    return _Job(command, process, client)


def run_here(arguments: list[str]) -> None:
    """Run a module in this process, as ``python -m`` does with these arguments."""
    sys.argv = arguments
    sys.path[0] = os.getcwd()
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def run_in_fork(address: str, arguments: list[str]) -> int | None:
    """Have the warm process at `address` run a module, and return its exit code, or None if there is none."""
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(address)
        socket.send_fds(server, [b"\n"], [0, 1, 2])
        server.sendall(json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode() + b"\n")
    except OSError:
        return None
    answers = server.makefile("rb")
    if not (pid := answers.readline()):
        return None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: os.killpg(int(pid), number))
    code = int(answers.readline() or b"1")
    return code if code >= 0 else 128 - code  # as a shell says that a signal ended it


if __name__ == "__main__":
    with gpu_of_its_own(sys.argv):
        if os.environ.get(ADDRESS) and os.environ.get(THREADS) == "1":
            code = run_in_fork(os.environ[ADDRESS], sys.argv[1:])
            if code is not None:
                sys.exit(code)
        run_here(sys.argv[1:])
