"""The way to a run's process that needs no byte of disk: a named pipe in its run directory.

Commands lie in `commands/` until they are heard, so that they outlive a process. On a full disk none can be left there; then
one line of JSON goes through the pipe, which the run's process made when it began. A line no longer than PIPE_BUF is
written whole or not at all, and nobody who writes can be blocked: see pipe(7) and fifo(7).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading

from cutover.core.observation import CommandName, OperatorCommand
from cutover.core.values import canonical_json
from cutover.local.disk import unguessable
from cutover.local.run_directory import RunDirectory

_LONGEST = min(select.PIPE_BUF, 4_096)
_AT_ONCE = 65_536

SAYABLE = frozenset(CommandName) - {CommandName.INTERRUPT}


class CommandPipe:
    """The reading end, held by the process that drives the run."""

    def __init__(self, run: RunDirectory, handle: int | None) -> None:
        self._run = run
        self._handle = handle
        self._lock = threading.Lock()
        self._part = b""
        self._commands: list[OperatorCommand] = []

    @classmethod
    def open(cls, run: RunDirectory) -> CommandPipe:
        """A new pipe in the place of an older one, whose reader may be a process that lost the run.

        A disk without room for a new name leaves the older one in use; one that knows no pipes leaves none. Neither
        keeps a run from going on: commands in files are heard all the same.
        """
        new = run.pipe.with_name(f".{run.pipe.name}.{unguessable()}.new")
        try:
            run.disk.make_fifo(new)
            run.disk.replace(new, run.pipe)
        except OSError:
            with contextlib.suppress(OSError):
                run.disk.remove(new)
        try:
            return cls(run, run.disk.open_fifo(run.pipe, write=False))
        except OSError:
            return cls(run, None)

    def fileno(self) -> int | None:
        """The descriptor that becomes readable when a command came; None without a pipe."""
        return self._handle

    def take(self) -> tuple[OperatorCommand, ...]:
        """The commands since the last call, oldest first."""
        with self._lock:
            self._read()
            said, self._commands = tuple(self._commands), []
        return said

    def waiting(self) -> tuple[CommandName, ...]:
        """The commands that `take` would give now, by name; from any thread."""
        with self._lock:
            self._read()
            return tuple(command.name for command in self._commands)

    def close(self) -> None:
        """Give the descriptor back: from now on nobody listens."""
        with self._lock:
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._run.disk.close(self._handle)
            self._handle = None

    def _read(self) -> None:
        if self._handle is None:
            return
        try:
            data = os.read(self._handle, _AT_ONCE)
        except OSError:  # nothing is there (EAGAIN), or it broke: the files go on
            return
        *lines, self._part = (self._part + data).split(b"\n")
        self._part = self._part[-_LONGEST:]
        self._commands.extend(_heard(line) for line in lines if line)


def send(run: RunDirectory, command: OperatorCommand) -> None:
    """Say a command through the pipe; a reason that is too long for it is cut.

    Raises:
        OSError: when no process listens (ENXIO, ENOENT), or its pipe is full (EAGAIN).
    """
    why = command.why
    while len(line := _line(command, why)) > _LONGEST and why:
        why = why[: len(why) // 2]
    handle = run.disk.open_fifo(run.pipe, write=True)
    try:
        run.disk.write_all(handle, line)
    finally:
        run.disk.close(handle)


def command_text(command: OperatorCommand, why: str | None = None) -> str:
    """A command as one line of JSON."""
    said = {
        "name": command.name.value,
        "who": command.who,
        "why": command.why if why is None else why,
        "detail": command.detail,
        "id": command.id,
    }
    return canonical_json(said)


def parse_command(text: bytes) -> OperatorCommand:
    """A command from `command_text`.

    Raises:
        ValueError: for anything else.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise ValueError("not a command")
    if data.get("name") not in SAYABLE:
        raise ValueError(f"no such command: {str(data.get('name'))[:40]!r}")
    return OperatorCommand(
        CommandName(data["name"]),
        data.get("who", "unknown"),
        data.get("why", ""),
        detail=data.get("detail", ""),
        id=data.get("id", ""),
    )


def _line(command: OperatorCommand, why: str) -> bytes:
    return command_text(command, why).encode("ascii") + b"\n"


def _heard(line: bytes) -> OperatorCommand:
    """What cannot be read is taken for a pause (docs/promises.md P26: unreadable means hold)."""
    try:
        return parse_command(line)
    except ValueError as error:
        why = f"a line in the pipe cannot be read ({error}), so the run holds"
        return OperatorCommand(CommandName.PAUSE, "unknown", why)
