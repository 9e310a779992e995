"""The loop's only sleep: virtual time passes, scripted people speak, and scripted crashes happen."""

from __future__ import annotations

from collections.abc import Callable

from cutover.core.moment import Moment
from cutover.core.observation import CommandName, OperatorCommand
from cutover.emulator.clock import VirtualClock
from cutover.emulator.faults import killed
from cutover.emulator.injections import Crash, Say
from cutover.emulator.responses import RehearsalOverError
from cutover.ports import Inbox

SIGINT = 2


class ScriptedInbox(Inbox):
    """Commands arrive at their virtual times; `wait` returns early when one does."""

    def __init__(self, clock: VirtualClock, ends_ms: int) -> None:
        self._clock = clock
        self._ends_ms = ends_ms
        self._commands: list[tuple[OperatorCommand, Callable[[], None]]] = []
        self._crash: tuple[Crash, Callable[[], None]] | None = None
        self.on_wait: Callable[[], None] = lambda: None

    def wait(self, until: Moment) -> tuple[OperatorCommand, ...]:
        """Let virtual time pass until then, or until a command comes.

        Raises:
            RunnerKilledError: at a scripted crash.
            RehearsalOverError: when the scenario's limit of virtual time has passed.
        """
        self.on_wait()
        if not self._commands and self._crash is None:
            self._clock.run_until(
                until.wall_ms, stop=lambda: bool(self._commands) or self._crash is not None
            )
        if self._crash is not None:
            (crash, died), self._crash = self._crash, None
            died()
            raise killed(crash)
        if self._clock.ms >= self._ends_ms:
            raise RehearsalOverError(
                f"the scenario's limit of virtual time has passed at {self._clock.now().wall:%H:%M}"
            )
        given, self._commands = self._commands, []
        for _, heard in given:
            heard()
        return tuple(command for command, _ in given)

    def stopping(self) -> str:
        return next(
            (f"{command.name} of {command.who}" for command, _ in self._commands if command.stops),
            "",
        )

    def say(self, line: Say, heard: Callable[[], None] = lambda: None) -> None:
        """Somebody says a command now; `heard` is called when the run takes it."""
        name = CommandName(line.command)
        source, signal = ("signal", SIGINT) if name is CommandName.INTERRUPT else ("commands", 0)
        self._commands.append((OperatorCommand(name, line.who, line.why, source, signal), heard))

    def crash(self, crash: Crash, died: Callable[[], None] = lambda: None) -> None:
        """The runner dies at its next (or in this) wait; `died` is called then."""
        self._crash = crash, died

    def forget(self) -> None:
        """The process is gone: what was said to it and not heard stays unheard."""
        self._commands.clear()
