"""The only parallelism of the tool: calls side by side under one deadline (design 3.2)."""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cutover.core.moment import Moment
from cutover.ports import Clock

K = TypeVar("K")
R = TypeVar("R")

DEADLINE_MS: Final = 13_000
"""One connect (3 s) and one read (10 s) timeout: no call of ours can be answered later and count."""

HURRY_MS: Final = 2_000
"""A process that was told to end waits this long for what is in flight; the turn and its records come on top."""

LEAST_MS: Final = 250
"""Even then every batch of calls gets this long: a healthy AWS answers in time to be believed."""

SLICE_MS: Final = 200
"""How often a waiting turn looks whether it should hurry."""


@dataclass(frozen=True)
class TimedOut:
    """The deadline passed. `started` is false when the call was never made, and never will be."""

    started: bool = True


class Fanout(ABC):
    """Runs calls side by side. An exception out of a call is a bug and is raised to the caller."""

    @abstractmethod
    def run(self, calls: Mapping[K, Callable[[], R]]) -> dict[K, R | TimedOut]:
        """The result of every call, or that it came too late; in the order asked."""


class Inline(Fanout):
    """One after the other in the caller's thread: for rehearsals, where time is virtual."""

    def run(self, calls: Mapping[K, Callable[[], R]]) -> dict[K, R | TimedOut]:
        return {key: call() for key, call in calls.items()}


@dataclass
class _Answer(Generic[K, R]):
    key: K
    value: R | None = None
    error: BaseException | None = None


class Threads(Fanout):
    """A few daemon threads per turn; a call that hangs can delay neither the turn nor the exit.

    Args:
        clock: measures the deadline.
        most: threads at once; a rollback of many routes wants one round trip.
        deadline_ms: for all calls together.

    Attributes:
        hurry: whether this process was told to end: then a turn waits no longer for calls in flight
            than `HURRY_MS`, and what it does not wait for is late (promises P22: exit within 5 s).
    """

    def __init__(self, clock: Clock, *, most: int = 32, deadline_ms: int = DEADLINE_MS) -> None:
        self._clock = clock
        self._most = most
        self._deadline_ms = deadline_ms
        self._hurried: Moment | None = None
        self.hurry: Callable[[], bool] = lambda: False

    def run(self, calls: Mapping[K, Callable[[], R]]) -> dict[K, R | TimedOut]:
        if not calls:
            return {}
        began_at = self._clock.now()
        deadline, waited = began_at.plus(self._deadline_ms), 0
        waiting = [(place, key, call) for place, (key, call) in enumerate(calls.items())]
        waiting.reverse()
        started: set[int] = set()
        lock = threading.Lock()
        answers: queue.SimpleQueue[_Answer[K, R]] = queue.SimpleQueue()

        def work() -> None:
            while True:
                with lock:  # emptied at the deadline, so that no write leaves after it
                    if not waiting:
                        return
                    place, key, call = waiting.pop()
                    started.add(place)
                try:
                    answers.put(_Answer(key, value=call()))
                except BaseException as error:  # noqa: BLE001  # carried to the caller's thread
                    answers.put(_Answer(key, error=error))

        for number in range(min(len(calls), self._most)):
            threading.Thread(target=work, name=f"cutover-aws-{number}", daemon=True).start()
        found: dict[K, R | TimedOut] = {}
        bugs: list[BaseException] = []
        while len(found) + len(bugs) < len(calls):
            left = self._left(deadline, began_at, waited)
            try:
                answer = answers.get(timeout=min(left, SLICE_MS) / 1000)
            except queue.Empty:
                waited += SLICE_MS
                if left <= SLICE_MS:
                    break
                continue
            if answer.error is not None:
                bugs.append(answer.error)
            else:
                found[answer.key] = answer.value  # type: ignore[assignment]
        with lock:
            waiting.clear()
            began = set(started)
        if bugs:  # only now, so that no call of the others is left half waited for
            raise bugs[0]
        return {
            key: found.get(key, TimedOut(started=place in began))
            for place, key in enumerate(calls)
        }

    def _left(self, deadline: Moment, began_at: Moment, waited: int) -> int:
        """Milliseconds that are still waited; `waited` counts too, for a clock may stand still."""
        now = self._clock.now()
        left = min(deadline.after(now), self._deadline_ms - waited)
        if not self.hurry():
            self._hurried = None
        else:
            self._hurried = self._hurried or now
            left = min(
                left, max(HURRY_MS - now.after(self._hurried), LEAST_MS - now.after(began_at))
            )
        return max(0, left)
