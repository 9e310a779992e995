"""What goes wrong on the machine, armed from a script: at its time, or where a process reaches a point."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.promises.facts import DiskRefused, Jumped, Slept
from tests.swarm.script import ERRNO, Death, DiskTrouble, Stop, TakeOver

if TYPE_CHECKING:
    from tests.swarm.machine import Machine


class KilledError(BaseException):
    """No `except Exception` survives it, as none survives SIGKILL."""

    def __init__(self, death: Death) -> None:
        super().__init__("killed")
        self.death = death


@dataclass
class _Armed:
    """Something that happens when a process reaches a point."""

    entry: Stop | Death
    seen: int = 0


class Adversary:
    """The trouble of one machine.

    Attributes:
        take_over: another process is to become the runner.
        away: how many losses of the lock files last.
        aside: another process than the run's is at work: it meets no trouble.
    """

    def __init__(self, machine: Machine) -> None:
        self.take_over: TakeOver | None = None
        self.away = 0
        self.aside = False
        self._machine = machine
        self._armed: list[_Armed] = []

    def arm(self) -> None:
        """Everything that the script says begins when its time comes."""
        machine = self._machine
        script, on, clock = machine.script, machine.world.script.on, machine.world.clock
        for trouble in script.disk:
            on(trouble.when, partial(self._disk_breaks, trouble))
        for loss in script.lease:
            on(loss.when, partial(self._lease_goes, loss.lasts))
        for take in script.take_overs:
            on(take.when, partial(setattr, self, "take_over", take))
        points: tuple[Stop | Death, ...] = (*script.stops, *script.deaths)
        for point in points:
            on(point.when, partial(self._armed.append, _Armed(point)))
        for jump in script.jumps:
            on(jump.when, partial(self._clock_jumps, jump.by_ms))
        for command in script.commands:
            on(command.when, partial(machine.people.command, command.command, command.times))
        machine.disk.before = lambda operation: self.reach("disk", operation)
        machine.disk.after = lambda operation: self.reach("disk_done", operation)
        machine.disk.refused = self._refused
        machine.eyes.watch(script.scenario, machine.world)
        clock.at(clock.ms + script.calm_after, self._calm)
        machine.world.script.changed()

    def _disk_breaks(self, trouble: DiskTrouble) -> None:
        if trouble.kind == "full":
            self._machine.disk.room = trouble.room
        else:
            self._machine.disk.broken[trouble.operation] = ERRNO[trouble.kind]
        self._machine.world.clock.at(
            self._machine.world.clock.ms + trouble.lasts,
            lambda: self._machine.disk.mend(trouble.operation),
        )

    def _refused(self, operation: str, path: Path | None) -> None:
        self._machine.eyes.meet(f"disk refuses {operation}")
        if path == self._machine.run.journal and self._machine.processes:
            self._machine.eyes.add(DiskRefused)

    def _lease_goes(self, lasts: int) -> None:
        self._machine.eyes.meet("lease lost")
        self.away += 1
        for process in self._machine.processes:
            process.lease.away = True
        self._machine.world.clock.at(self._machine.world.clock.ms + lasts, self._lease_comes)

    def _lease_comes(self) -> None:
        self.away = max(0, self.away - 1)
        for process in self._machine.processes:
            process.lease.away = self.away > 0

    def _clock_jumps(self, by_ms: int) -> None:
        self._machine.eyes.meet("clock set")
        self._machine.clock.ahead_ms += by_ms
        self._machine.eyes.clock_set = True
        if self._machine.processes:
            self._machine.eyes.add(Jumped, by_ms)

    def _calm(self) -> None:
        self._machine.world.calm()
        self._armed.clear()
        self.take_over = None
        self._machine.disk.mend()
        self.away = 0
        for process in self._machine.processes:
            process.lease.away = False
        self._machine.eyes.calm()

    def reach(self, point: str, operation: str) -> None:
        """A process reaches a point: it may die there, or the machine stop.

        Raises:
            KilledError: when it dies.
        """
        if self.aside or not self._machine.processes:
            return
        for armed in self._armed:
            entry = armed.entry
            if entry.point != point or not fnmatchcase(operation, entry.operation):
                continue
            armed.seen += 1
            if armed.seen <= entry.skip:
                continue
            self._armed.remove(armed)
            if isinstance(entry, Death):
                self._machine.eyes.meet("power lost" if entry.power else "killed", point)
                raise KilledError(entry)
            self._machine.eyes.meet("machine stopped", point)
            self._machine.world.clock.sleep(entry.lasts)
            self._machine.eyes.add(Slept, entry.lasts)
            return
