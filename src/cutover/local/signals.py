"""Signals become commands: a handler writes one byte to a pipe, and the loop reads it when it waits.

SIGINT and SIGTERM are heard; what they mean in which phase is decided by the core. SIGHUP and
SIGPIPE never end a run (issue: a closed terminal is not an order to stop moving traffic).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from cutover.core.observation import CommandName, OperatorCommand

HEARD = (signal.SIGINT, signal.SIGTERM)
OUTLIVED = (signal.SIGHUP, signal.SIGPIPE)


class Signals:
    """The pipe between the handlers and the inbox."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()  # not inherited by children
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self.pending = False
        """A signal came, and the turn that hears it is not over: do not wait long for anything."""

    def fileno(self) -> int:
        """The descriptor that becomes readable when a signal came."""
        return self._reading

    def waits(self) -> bool:
        """A signal came that `take` has not given yet; from any thread."""
        return bool(select.select([self._reading], [], [], 0)[0])

    def take(self) -> tuple[OperatorCommand, ...]:
        """The signals since the last call, oldest first."""
        try:
            numbers = os.read(self._reading, 4096)
        except BlockingIOError:
            self.pending = False
            return ()
        self.pending = True
        return tuple(
            OperatorCommand(
                CommandName.INTERRUPT,
                who=f"uid {os.getuid()}",
                why=signal.Signals(number).name,
                source="signal",
                signal=number,
            )
            for number in numbers
        )

    @contextlib.contextmanager
    def installed(self) -> Iterator[Signals]:
        """Hear signals inside the `with` block, and put the old handlers back after it.

        Outside the main thread Python can install no handler: then nothing is heard, and the
        process that called us keeps its own.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before: dict[signal.Signals, Any] = {}
        try:
            for heard in HEARD:
                before[heard] = signal.signal(heard, self._handle)
            for outlived in OUTLIVED:
                # a handler and not SIG_IGN: a command that we start must not inherit deafness
                before[outlived] = signal.signal(outlived, _outlive)
            yield self
        finally:
            for number, old in before.items():
                signal.signal(number, signal.SIG_DFL if old is None else old)

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self._reading)
        os.close(self._writing)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.pending = True
        with contextlib.suppress(
            BlockingIOError
        ):  # a full pipe holds thousands of orders to stop already
            os.write(self._writing, bytes([number]))


def _outlive(number: int, frame: FrameType | None) -> None:
    return
