"""The only parallelism of the tool: calls side by side under one deadline."""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cutover.aws.retry import Failure, Kind, classify
from cutover.core.moment import Moment
from cutover.core.values import duration_text
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


class Fanout(ABC):
    """Runs calls side by side: one that fails, hangs or breaks takes nothing from the others."""

    @abstractmethod
    def run(
        self, calls: Mapping[K, Callable[[], R]], within_ms: int = DEADLINE_MS
    ) -> dict[K, R | Failure]:
        """The result of every call, or why there is none; in the order asked."""


class Inline(Fanout):
    """One after the other in the caller's thread: for rehearsals, where time is virtual."""

    def run(
        self, calls: Mapping[K, Callable[[], R]], within_ms: int = DEADLINE_MS
    ) -> dict[K, R | Failure]:
        return {key: attempt(call) for key, call in calls.items()}


def attempt(call: Callable[[], R]) -> R | Failure:
    """The call's result, or what its exception means; only what is meant to end the process goes through."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001  # classify has a meaning for every one
        return classify(error)


def too_late(within_ms: int) -> Failure:
    """No answer when the deadline passed; what the call does after that reaches nobody."""
    return Failure(Kind.AMBIGUOUS, "timeout", f"no answer within {duration_text(within_ms)}")


@dataclass
class _Answer(Generic[K, R]):
    key: K
    value: R | Failure | None = None
    ends: BaseException | None = None


class Threads(Fanout):
    """A few daemon threads per turn; a call that hangs can delay neither the turn nor the exit.

    Args:
        clock: measures the deadline.
        most: threads at once; a rollback of many routes wants one round trip.
        deadline_ms: for all calls together, at most.

    Attributes:
        hurry: whether this process was told to end: then a turn waits no longer for calls in flight
            than `HURRY_MS`, and what it does not wait for is late (docs/promises.md P22: exit within 5 s).
    """

    def __init__(self, clock: Clock, *, most: int = 32, deadline_ms: int = DEADLINE_MS) -> None:
        self._clock = clock
        self._most = most
        self._deadline_ms = deadline_ms
        self._hurried: Moment | None = None
        self.hurry: Callable[[], bool] = lambda: False

    def run(
        self, calls: Mapping[K, Callable[[], R]], within_ms: int = DEADLINE_MS
    ) -> dict[K, R | Failure]:
        if not calls:
            return {}
        within_ms = min(within_ms, self._deadline_ms)
        began_at, waited = self._clock.now(), 0
        waiting = list(calls.items())[::-1]
        lock = threading.Lock()
        answers: queue.SimpleQueue[_Answer[K, R]] = queue.SimpleQueue()

        def work() -> None:
            while True:
                with lock:  # emptied at the deadline, so that nothing is begun after it
                    if not waiting:
                        return
                    key, call = waiting.pop()
                try:
                    answers.put(_Answer(key, value=attempt(call)))
                except BaseException as error:  # noqa: BLE001  # carried to the caller's thread
                    answers.put(_Answer(key, ends=error))

        _start(work, min(len(calls), self._most))
        found: dict[K, R | Failure] = {}
        try:
            while len(found) < len(calls):
                left = self._left(began_at, waited, within_ms)
                try:
                    answer = answers.get(timeout=min(left, SLICE_MS) / 1000)
                except queue.Empty:
                    waited += SLICE_MS
                    if left <= SLICE_MS:
                        break
                    continue
                if answer.ends is not None:
                    raise answer.ends
                found[answer.key] = answer.value  # type: ignore[assignment]
        finally:
            with lock:
                waiting.clear()
        return {key: found.get(key, too_late(within_ms)) for key in calls}

    def _left(self, began_at: Moment, waited: int, within_ms: int) -> int:
        """Milliseconds that are still waited; `waited` counts too, for a clock may stand still."""
        now = self._clock.now()
        left = within_ms - max(now.after(began_at), waited)
        if not self.hurry():
            self._hurried = None
        else:
            self._hurried = self._hurried or now
            left = min(
                left, max(HURRY_MS - now.after(self._hurried), LEAST_MS - now.after(began_at))
            )
        return max(0, left)


def _start(work: Callable[[], None], most: int) -> None:
    for number in range(most):
        try:
            threading.Thread(target=work, name=f"cutover-aws-{number}", daemon=True).start()
        except RuntimeError:  # this machine gives no more threads
            if number == 0:
                work()  # one after the other is slow, and better than a rollback that is not sent
            return
