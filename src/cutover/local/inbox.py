"""Commands for the runner, from files, a pipe, kill switches, signals and keys: the loop's only sleep.

A command in `commands/` is one file, put there in one step. A command that stops (pause, rollback) is
removed only at the next wait, when the runner has journalled it: a crash in between says it again.
A command that goes forward is removed before it is said: a crash may lose it, but nothing is ever
approved twice. What cannot be read is taken for a pause (docs/promises.md P26: unreadable means hold).

A turn hears a bounded number of commands from files, oldest first. A command that stops and lies behind
more than that is heard at once, and again in its place: what was said before it cannot undo it.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
from collections.abc import Callable, Sequence
from pathlib import Path

from cutover.core.errors import RefusedError
from cutover.core.moment import Moment
from cutover.core.observation import CommandName, OperatorCommand
from cutover.core.values import digest
from cutover.local.command_pipe import CommandPipe, command_text, parse_command
from cutover.local.keyboard import Keyboard
from cutover.local.run_directory import RunDirectory
from cutover.local.signals import Signals
from cutover.ports import Clock, Inbox

POLL_MS = 250
"""How long a command in a file may wait to be seen."""

SWITCHES = {"HOLD": CommandName.PAUSE, "ROLLBACK": CommandName.ROLLBACK}
"""Kill switches: `touch`ed files in the run's or the state directory (docs/promises.md P26)."""

A_TURN = 20
"""So many commands from files a turn hears: thousands of them must not keep it from the next look."""

_STOPPING = frozenset({CommandName.PAUSE, CommandName.ROLLBACK})
_FORWARD = frozenset({CommandName.RESUME, CommandName.APPROVE, CommandName.ACCEPT_DRIFT})
_LONGEST = 16_384
_NAME = re.compile(r"[0-9]+-(?P<command>[a-z_]+)-[0-9a-f]+\.json")


def enqueue(run: RunDirectory, command: OperatorCommand, at: Moment) -> Path:
    """Put a command where the run's process will find it, durably; returns its file.

    Raises:
        RefusedError: when the disk does not take it; the hint says what works without a disk.
    """
    text = command_text(command).encode("ascii")
    # two processes may say the same in the same millisecond: a file for each
    unique = digest(f"{at.boot_ms} {os.getpid()} {text.decode('ascii')}")[:12]
    path = run.commands / f"{at.wall_ms:015d}-{command.name.value}-{unique}.json"
    try:
        run.disk.keep(path, text, durable=not run.rehearsal)
    except OSError as error:
        pid = run.pid()
        raise RefusedError(
            f"the command cannot be left in {run.commands}: {error.strerror or error}",
            hint=f"kill -TERM {pid or 'PID'} makes the run hold; sh {run.restore} takes the traffic back",
        ) from None
    return path


def queued_commands(run: RunDirectory) -> tuple[OperatorCommand, ...]:
    """The commands that nobody has heard yet, oldest first; for display, they stay where they are."""
    commands: list[OperatorCommand] = []
    try:
        names = [name for name in run.disk.list(run.commands) if not name.startswith(".")]
    except OSError:
        return ()
    for name in names:
        try:
            commands.append(_parsed(run.disk.read(run.commands / name, _LONGEST + 1, own=True)))
        except FileNotFoundError:
            continue  # heard in this very moment
        except (OSError, ValueError):
            commands.append(
                OperatorCommand(CommandName.PAUSE, "unknown", f"{name} cannot be read")
            )
    return tuple(commands)


class LocalInbox(Inbox):
    """The inbox of a live run.

    `switches` are directories whose HOLD and ROLLBACK files count. `others`: who has the run instead of us by now; what
    lies in files is then for that process, and stays.
    """

    def __init__(
        self,
        run: RunDirectory,
        clock: Clock,
        *,
        switches: Sequence[Path] = (),
        signals: Signals | None = None,
        keyboard: Keyboard | None = None,
        pipe: CommandPipe | None = None,
        others: Callable[[], str] = lambda: "",
        first: Sequence[OperatorCommand] = (),
    ) -> None:
        self._run = run
        self._clock = clock
        self._switches = tuple(
            (directory / name, command)
            for directory in dict.fromkeys((run.path, *switches))
            for name, command in SWITCHES.items()
        )
        self._signals = signals
        self._keyboard = keyboard
        self._pipe = pipe
        self._others = others
        self._first = tuple(first)
        self._said: set[str] = set()  # files that were said and may still be there
        self._early: set[str] = set()  # files that were said before their turn, and will be again
        self._done: list[Path] = []  # to remove once the runner has journalled them
        self._on: set[Path] = set()  # switches that were said
        self._blind = False

    def wait(self, until: Moment) -> tuple[OperatorCommand, ...]:
        self._remove_done()
        while True:
            commands = self._commands()
            left = until.after(self._clock.now())
            if commands or left <= 0:
                return commands
            self._sleep(min(left, POLL_MS))

    def stopping(self) -> str:
        """As `Inbox.stopping`; the files are known by their names alone."""
        with contextlib.suppress(OSError, ValueError):  # closed in this moment
            if self._signals is not None and self._signals.waits():
                return "a signal"
            if self._keyboard is not None and self._keyboard.waits():
                return "a key"
        piped = self._pipe.waiting() if self._pipe is not None else ()
        stops = [name for name in piped if name in _STOPPING]
        if stops:
            return f"{stops[0]} through {self._run.pipe.name}"
        return self._switch_waits() or self._file_waits()

    def _switch_waits(self) -> str:
        for path, _ in self._switches:
            try:
                on = self._run.disk.look(path) is not None
            except OSError:
                on = True
            if on and path not in self._on:
                return f"the switch {path.name}"
        return ""

    def _file_waits(self) -> str:
        try:
            names = self._run.disk.list(self._run.commands)
        except OSError:
            return "" if self._blind else f"{self._run.commands.name}/ cannot be read"
        waiting = (name for name in names if not name.startswith(".") and name not in self._said)
        return next((f"the command {name}" for name in waiting if _stops(name)), "")

    def _sleep(self, ms: int) -> None:
        sources = [
            source.fileno()
            for source in (self._signals, self._keyboard, self._pipe)
            if source is not None
        ]
        select.select([source for source in sources if source is not None], [], [], ms / 1000)

    def _commands(self) -> tuple[OperatorCommand, ...]:
        commands, self._first = list(self._first), ()
        if self._signals is not None:
            commands += self._signals.take()
        if self._keyboard is not None:
            commands += self._keyboard.take(self._clock.now())
        if self._pipe is not None:
            commands += self._pipe.take()
        commands += self._from_files()
        switched = self._from_switches()
        if not switched and any(command.name in _FORWARD for command in commands):
            # "go on" does not overrule a switch that is still on: say it again, after the command
            self._on.clear()
            switched = self._from_switches()
        return (*commands, *switched)

    def _from_files(self) -> list[OperatorCommand]:
        if self._others():
            return []
        try:
            names = self._run.disk.list(self._run.commands)
        except OSError as error:
            return self._unreadable(self._run.commands, error)
        self._blind = False
        new = [name for name in names if not name.startswith(".") and name not in self._said]
        commands: list[OperatorCommand] = []
        for name in new[A_TURN:]:
            if len(commands) == A_TURN:
                break
            if name not in self._early and _stops(name):
                self._early.add(name)
                found = self._read(self._run.commands / name)
                commands += [command for command in found if command.name in _STOPPING]
        for name in new[:A_TURN]:
            self._early.discard(name)
            self._said.add(name)
            commands += self._one(self._run.commands / name)
        return commands

    def _one(self, path: Path) -> list[OperatorCommand]:
        """The command of a file, which is removed: at once, or when the runner has journalled a command that stops."""
        commands = self._read(path)
        if commands and commands[0].name not in _STOPPING:
            self._remove(path)
        else:
            self._done += [path] if commands else []
        return commands

    def _read(self, path: Path) -> list[OperatorCommand]:
        try:
            return [_parsed(self._run.disk.read(path, _LONGEST + 1, own=True))]
        except FileNotFoundError:
            return []  # taken back by whoever left it
        except (OSError, ValueError) as error:
            why = f"the command {path.name} cannot be read ({error}), so the run holds"
            return [OperatorCommand(CommandName.PAUSE, "unknown", why)]

    def _unreadable(self, path: Path, error: OSError) -> list[OperatorCommand]:
        if self._blind:
            return []
        self._blind = True
        return [
            OperatorCommand(
                CommandName.PAUSE,
                "unknown",
                f"{path} cannot be read ({error.strerror or error}), so the run holds",
            )
        ]

    def _from_switches(self) -> tuple[OperatorCommand, ...]:
        commands: list[OperatorCommand] = []
        for path, switch in self._switches:
            name = switch
            try:
                on = self._run.disk.look(path) is not None
            except OSError:
                on, name = True, CommandName.PAUSE  # unreadable means hold, never more
            if on and path not in self._on:
                self._on.add(path)
                commands.append(
                    OperatorCommand(
                        name,
                        "kill switch",
                        f"the file {path} exists; remove it to go on",
                        "switch",
                    )
                )
            elif not on:
                self._on.discard(path)
        return tuple(commands)

    def _remove_done(self) -> None:
        done, self._done = self._done, []
        for path in () if self._others() else done:
            self._remove(path)

    def _remove(self, path: Path) -> None:
        try:
            self._run.disk.remove(path)
        except OSError:
            return  # it was said once, and `_said` remembers
        self._said.discard(path.name)


def _stops(name: str) -> bool:
    """By its file's name: a command that stops, or one that nobody can tell before reading it."""
    found = _NAME.fullmatch(name)
    return found is None or found["command"] not in frozenset(CommandName) - _STOPPING


def _parsed(text: bytes) -> OperatorCommand:
    if len(text) > _LONGEST:
        raise ValueError("too long")
    return parse_command(text)
