"""The people of a machine: their commands from other terminals, and the one who looks after the last trouble."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from cutover.core.errors import RefusedError
from cutover.core.journal.events import PhaseChanged
from cutover.core.observation import CommandName, OperatorCommand
from cutover.core.values import MINUTE
from cutover.local.inbox import enqueue
from tests.promises.facts import Ordered

if TYPE_CHECKING:
    from tests.swarm.machine import Machine

LOOKS, LOOK_EVERY = 9, 20 * MINUTE
"""So often, and so far apart, somebody looks at the run after the last trouble."""

_FILES = {"hold_file": "HOLD", "rollback_file": "ROLLBACK"}


class People:
    """Whoever says a command.

    Attributes:
        pending: commands for which no process lives: each begins one.
        stirred: something was said since this was last set to False.
        until_ms: when the last look is over.
    """

    def __init__(self, machine: Machine) -> None:
        self.pending: list[OperatorCommand] = []
        self.stirred = False
        self.until_ms = 0
        self._machine = machine
        self._said = 0

    def watch(self) -> None:
        """Look at the run again and again, once nothing goes wrong any more."""
        clock = self._machine.world.clock
        calm_ms = clock.ms + self._machine.script.calm_after
        for look in range(LOOKS):
            clock.at(calm_ms + (look + 1) * LOOK_EVERY, partial(self._look, look))
        self.until_ms = calm_ms + (LOOKS + 1) * LOOK_EVERY

    def command(self, name: str, times: int = 1) -> None:
        """Somebody says a command, so often in the same moment."""
        self._machine.eyes.meet(
            f"says {name}" if times == 1 else f"says {name} {times} times at once"
        )
        adversary = self._machine.adversary
        aside, adversary.aside = adversary.aside, True
        try:
            for _ in range(times):
                self._say(name)
        finally:
            adversary.aside = aside
        self.stirred = True

    def _say(self, name: str) -> None:
        self._said += 1
        who = f"operator {self._said}"
        ears = self._machine.processes[-1].ears if self._machine.processes else None
        if name in _FILES or name == "remove_files":
            self._switch(name)
        elif name == "interrupt":
            if ears is not None:
                self._machine.eyes.add(Ordered, name)
                ears.direct.append(
                    OperatorCommand(CommandName.INTERRUPT, who, "SIGINT", "signal", signal=2)
                )
        else:
            self._machine.eyes.add(Ordered, name)
            detail = "detach_source" if name == "finish_and_detach" else ""
            said = CommandName(name.removesuffix("_and_detach"))
            command = OperatorCommand(said, who, "as the script says", detail=detail)
            if ears is None:
                self.pending.append(command)
                return
            try:
                enqueue(self._machine.run, command, self._machine.clock.now())
            except RefusedError:
                ears.direct.append(command)  # through the pipe, which needs no disk

    def _switch(self, name: str) -> None:
        with contextlib.suppress(OSError):
            if name in _FILES:
                self._machine.disk.keep(self._machine.run.path / _FILES[name], b"", durable=True)
                if name == "rollback_file":
                    self._machine.eyes.add(Ordered, "rollback")
                return
        for file in _FILES.values() if name == "remove_files" else ():
            with contextlib.suppress(OSError):
                self._machine.disk.remove(self._machine.run.path / file)

    def phase_told(self, event: PhaseChanged) -> None:
        """Somebody is asked to approve, and does so some time later."""
        if event.hold == "approval" and self._machine.script.approve_after is not None:
            clock = self._machine.world.clock
            clock.at(
                clock.ms + self._machine.script.approve_after, lambda: self.command("approve")
            )

    def wait(self) -> bool:
        """Let time pass until somebody says something; False when nobody does any more."""
        clock = self._machine.world.clock
        while not self.pending and clock.ms < self.until_ms and not self._machine.over:
            clock.run_until(self.until_ms, stop=lambda: bool(self.pending))
        return bool(self.pending)

    def _look(self, number: int) -> None:
        """Somebody looks at the run, and says what has a meaning in its phase."""
        if self._machine.over:
            return
        self.command("remove_files")
        phase = str(self._machine.eyes.state.phase)
        if phase == "COMPLETED":
            self.command(
                "finish"
                if self._machine.script.last_word == "resume" and not number
                else "rollback"
            )
        elif phase == "NEEDS_HUMAN":
            self.command(
                "confirm_restored" if number % 3 == 1 else "leave" if number > 6 else "rollback"
            )
        else:
            self.command(self._machine.script.last_word if number == 0 else "rollback")
