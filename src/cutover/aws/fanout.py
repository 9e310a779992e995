"""The only parallelism of the tool: calls side by side under one deadline (design 3.2)."""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cutover.ports import Clock

K = TypeVar("K")
R = TypeVar("R")

DEADLINE_MS: Final = 13_000
"""One connect (3 s) and one read (10 s) timeout: no call of ours can be answered later and count."""


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
    """

    def __init__(self, clock: Clock, *, most: int = 32, deadline_ms: int = DEADLINE_MS) -> None:
        self._clock = clock
        self._most = most
        self._deadline_ms = deadline_ms

    def run(self, calls: Mapping[K, Callable[[], R]]) -> dict[K, R | TimedOut]:
        if not calls:
            return {}
        deadline = self._clock.now().plus(self._deadline_ms)
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
            left = max(0, deadline.after(self._clock.now()))
            try:
                answer = answers.get(timeout=left / 1000)
            except queue.Empty:
                break
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
