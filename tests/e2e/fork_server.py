"""Processes of `cutover` forked from one that has imported everything: each is as real, and starts without half a second of imports.

A process that a fork server made has its own session, environment, descriptors and end, as `python -m cutover` has;
what a shell starts (`tests/docs`), and what a test gives a pipe to, is started by the interpreter all the same.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_LONGEST = 1 << 20


class Forked:
    """A process that was forked; what tests use of `subprocess.Popen`."""

    stdout: IO[str] | None = None

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection = connection
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, minus the signal when one ended it."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._connection.recv(64))
            except (BlockingIOError, TimeoutError):
                return None
            self._connection.close()
        return self.returncode


class ForkServer:
    """Asks the server for processes."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def start(
        self, commands: Sequence[str], environment: Mapping[str, str], out: IO[str], err: IO[str]
    ) -> Forked:
        """`cutover WORDS` in a session of its own."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(str(self._place))
        asked = json.dumps([list(commands), dict(environment)]).encode()
        socket.send_fds(connection, [asked], [out.fileno(), err.fileno()])
        return Forked(connection, int(connection.recv(64)))


@contextmanager
def fork_server(place: Path) -> Iterator[ForkServer]:
    """A server that ends with the `with` block, or with this process."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.fork_server", str(place)],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        assert server.stdout.readline() == b"ready\n"
        try:
            yield ForkServer(place)
        finally:
            server.kill()


def _import_everything() -> None:
    import importlib
    import pkgutil

    import cutover

    for module in pkgutil.walk_packages(cutover.__path__, "cutover."):
        if not module.name.startswith(
            ("cutover.emulator", "cutover.app.rehears", "cutover.__main__")
        ):
            importlib.import_module(module.name)
    for name in ("boto3", "botocore.session", "botocore.client", "botocore.parsers"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # it would be looked at again, and copied, in every process


def _serve(place: str) -> None:
    """Returns in each process that is to become a command."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(place)
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    os.write(1, b"ready\n")
    while True:
        if (
            sys.stdin in select.select([listener, sys.stdin], [], [])[0]
        ):  # nobody is there any more
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            break
        connection.close()
    asked, descriptors, _, _ = socket.recv_fds(connection, _LONGEST, 2)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(*json.loads(asked), *descriptors)
        return
    connection.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(commands: list[str], environment: dict[str, str], out: int, err: int) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, out, err)):
        os.dup2(descriptor, number)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["cutover", *commands]
    sys.stdin, sys.stdout, sys.stderr = (  # they live as long as the process
        open(number, mode, encoding="utf-8", errors=errors, closefd=False, buffering=buffering)  # noqa: SIM115
        for number, mode, errors, buffering in (
            (0, "r", "strict", -1), (1, "w", "strict", -1), (2, "w", "backslashreplace", 1),
        )
    )  # fmt: skip


if __name__ == "__main__":
    _import_everything()
    _serve(sys.argv[1])
    from cutover.__main__ import main

    sys.exit(main())
