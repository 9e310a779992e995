"""Virtual time: hours pass in milliseconds, and everything that is due happens in order."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime

from cutover.core.moment import Moment, wall_from_ms, wall_ms
from cutover.ports import Clock


class VirtualClock(Clock):
    """A clock that moves only when somebody waits, and runs what is due on the way.

    `pace` is told of every span (ms) that passes, so that a rehearsal can be watched like a film.
    """

    def __init__(self, start: datetime, *, pace: Callable[[int], None] | None = None) -> None:
        self.ms = wall_ms(start)
        self.pace = pace
        self._boots = 1
        self._boot_began = self.ms - 1_000_000
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._scheduled = 0

    def now(self) -> Moment:
        """This virtual instant."""
        return Moment(
            wall_from_ms(self.ms), self.ms - self._boot_began, f"rehearsal-{self._boots}"
        )

    def sleep(self, ms: int) -> None:
        """Let `ms` pass."""
        self.run_until(self.ms + max(0, ms))

    def at(self, ms: int, due: Callable[[], None]) -> None:
        """Call `due` at that time (ms since the epoch), or next when it has passed."""
        self._scheduled += 1
        heapq.heappush(self._queue, (ms, self._scheduled, due))

    def run_until(self, ms: int, stop: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until `ms`, or until `stop()` is true after something happened."""
        while self._queue and self._queue[0][0] <= ms:
            when, _, due = heapq.heappop(self._queue)
            self._move(when)
            due()
            if stop():
                return
        self._move(ms)

    def reboot(self) -> None:
        """The machine starts again: a new boot id, and its boot clock begins at 0."""
        self._boots += 1
        self._boot_began = self.ms

    def _move(self, ms: int) -> None:
        if ms > self.ms:
            if self.pace is not None:
                self.pace(ms - self.ms)
            self.ms = ms
