"""The ports of this machine, under the adversary: clock, lease, and the words of people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import LOST, OWNED, Known, OperatorCommand, Reading, Unknown
from cutover.emulator.clock import VirtualClock
from cutover.local.inbox import LocalInbox
from cutover.local.run_directory import RunDirectory
from cutover.ports import Clock, Lease


class MachineClock(Clock):
    """This machine's clock: virtual time, with the wall clock set off by `ahead_ms`."""

    def __init__(self, clock: VirtualClock) -> None:
        self.ahead_ms = 0
        self._clock = clock

    def now(self) -> Moment:
        now = self._clock.now()
        if not self.ahead_ms:
            return now
        return Moment(wall_from_ms(now.wall_ms + self.ahead_ms), now.boot_ms, now.boot_id)

    def sleep(self, ms: int) -> None:
        self._clock.sleep(ms)


class LosableLease(Lease):
    """The lock files of the run's routes, as `local.lease` sees them.

    Attributes:
        away: the files are deleted as soon as they are made again.
        missing: they were deleted, and nobody looked since.
        owner: who else holds them.
        journalled_by: as of `FlockLease`.
    """

    def __init__(self) -> None:
        self.away = False
        self.missing = False
        self.owner = ""
        self.journalled_by: Callable[[], str] = lambda: ""

    def renew(self, now: Moment) -> Reading[None]:
        if owner := self.other_owner():
            return Unknown(owner, OWNED)
        if self.away or self.missing:
            self.missing = False
            return Unknown("the lock file was deleted or replaced, or cannot be read", LOST)
        return Known(None, now)

    def other_owner(self) -> str:
        return self.locked_by() or self.journalled_by()

    def locked_by(self) -> str:
        """Who else holds the locks; empty for nobody."""
        return self.owner

    def ends(self, now: Moment) -> Moment | None:
        return None


class Ears(LocalInbox):
    """The inbox of a live run, whose sleep is virtual time; `direct` came by signal or through the pipe."""

    def __init__(
        self,
        run: RunDirectory,
        clock: Clock,
        sleep: Callable[[int], None],
        others: Callable[[], str],
    ) -> None:
        super().__init__(run, clock, others=others)
        self.direct: list[OperatorCommand] = []
        self._until: Moment | None = None
        self._now = clock.now
        self._passes = sleep

    def wait(self, until: Moment) -> tuple[OperatorCommand, ...]:
        self._until = until
        return super().wait(until)

    def stopping(self) -> str:
        said = next(
            (f"{command.name} of {command.who}" for command in self.direct if command.stops), ""
        )
        return said or super().stopping()

    def _sleep(self, ms: int) -> None:
        left = ms if self._until is None else self._until.after(self._now())
        self._passes(left)

    def _commands(self) -> tuple[OperatorCommand, ...]:
        direct: Sequence[OperatorCommand] = tuple(self.direct)
        self.direct.clear()
        return (*direct, *super()._commands())
