"""Single keys of a person at the terminal: p pause, r resume, a approve, R R roll back.

Keys are read only here, behind the inbox; views never read them. Ctrl-C stays the terminal's own.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import tty
from collections.abc import Iterator
from typing import Any

from cutover.core.moment import Moment
from cutover.core.observation import CommandName, OperatorCommand

_KEYS = {b"p": CommandName.PAUSE, b"r": CommandName.RESUME, b"a": CommandName.APPROVE}
_ROLLBACK = b"R"
_TYPED, _PARTS, _QUIET_S = 2, 16, 0.02
"""So many bytes at once are typed; more are read on, in so many parts, until nothing comes for so many seconds."""

TWICE_WITHIN_MS = 3_000
"""Two presses of R within this time roll back; one alone does nothing."""


class Keyboard:
    """Keys of the terminal on `descriptor`, while it is one and ours to read."""

    def __init__(self, descriptor: int = 0, who: str = "keyboard") -> None:
        self._descriptor = descriptor
        self._who = who
        self._listening = False
        self._first_press: Moment | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[Keyboard]:
        """Read single keys inside the `with` block; the terminal gets its modes back after it."""
        before = self._modes()
        if before is None:
            yield self
            return
        try:
            tty.setcbreak(self._descriptor, termios.TCSANOW)
            self._listening = True
            yield self
        finally:
            self._listening = False
            with contextlib.suppress(OSError, termios.error):  # the terminal may be gone by now
                termios.tcsetattr(self._descriptor, termios.TCSANOW, before)

    def fileno(self) -> int | None:
        """The descriptor to wait on, or None while no keys can come."""
        return self._descriptor if self._listening else None

    def waits(self) -> bool:
        """Something was typed that `take` has not read yet; from any thread."""
        return self._listening and bool(select.select([self._descriptor], [], [], 0)[0])

    def take(self, now: Moment) -> tuple[OperatorCommand, ...]:
        """The commands typed since the last call."""
        commands: list[OperatorCommand] = []
        for key in self._pressed():
            if key == _ROLLBACK:
                first, self._first_press = self._first_press, now
                if first is not None and now.after(first) <= TWICE_WITHIN_MS:
                    self._first_press = None
                    commands.append(
                        OperatorCommand(
                            CommandName.ROLLBACK, self._who, "R pressed twice", "keyboard"
                        )
                    )
                continue
            self._first_press = None
            if key in _KEYS:
                commands.append(
                    OperatorCommand(_KEYS[key], self._who, f"{key.decode()} pressed", "keyboard")
                )
        return tuple(commands)

    def _ours(self) -> bool:
        # changing the modes from the background would stop the process (SIGTTOU)
        return os.tcgetpgrp(self._descriptor) == os.getpgrp()

    def _modes(self) -> list[Any] | None:
        try:
            if not os.isatty(self._descriptor) or not self._ours():
                return None
            return termios.tcgetattr(self._descriptor)
        except (OSError, termios.error):
            return None

    def _pressed(self) -> tuple[bytes, ...]:
        if not self._listening:
            return ()
        try:
            if not select.select([self._descriptor], [], [], 0)[0]:
                return ()
            keys = os.read(self._descriptor, 1024)
            for _ in range(_PARTS):
                if not keys or not self._more():
                    break
                more = os.read(self._descriptor, 1024)
                if not more:
                    self._listening = False
                    break
                keys += more
            if len(keys) > _TYPED:
                termios.tcflush(self._descriptor, termios.TCIFLUSH)
        except (OSError, termios.error):  # the terminal hung up
            keys = b""
        if not keys:
            self._listening = False
        # a pasted text or an arrow key is no order
        return tuple(bytes([key]) for key in keys) if len(keys) <= _TYPED else ()

    def _more(self) -> bool:
        """A paste arrives in parts, of which the last may look like keys."""
        return bool(select.select([self._descriptor], [], [], _QUIET_S)[0])
