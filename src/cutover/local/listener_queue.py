"""A bounded queue and a thread of its own in front of every live listener.

A view on a closed terminal, a webhook that hangs or a page that raises can lose its own messages;
it can never delay a write to the load balancer. Nothing here waits for a listener but `closed`,
and that for two seconds at most.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from cutover.core.journal.events import Record
from cutover.core.moment import Moment
from cutover.ports import Listener

GIVE_UP_AFTER = 5
"""Failures in a row after which a listener is told nothing more."""

SLICES = 20
"""In so many parts the end is waited for: a machine that stalls uses up one of them, and not the listener's time."""


class ListenerQueue(Listener):
    """Tells a slow or faulty listener, in order, from a daemon thread.

    Attributes:
        dropped: records that the listener was not told: pushed out of the full queue (the oldest
            go first), or said after it was given up.
        failed: calls of the listener that raised.
    """

    def __init__(
        self, listener: Listener, *, room: int = 1_000, flush_seconds: float = 2.0
    ) -> None:
        self.dropped = 0
        self.failed = 0
        self._listener = listener
        self._room = room
        self._flush_seconds = flush_seconds
        self._waiting: deque[tuple[Record | None, Callable[[], None]]] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._in_a_row = 0
        self._thread = threading.Thread(
            target=self._tell, name=f"outlet {type(listener).__name__}", daemon=True
        )
        self._thread.start()

    def on_record(self, record: Record) -> None:
        self._put(record, lambda: self._listener.on_record(record))

    def on_tick(self, at: Moment, next_look: Moment, reason: str) -> None:
        self._put(None, lambda: self._listener.on_tick(at, next_look, reason))

    def closed(self) -> None:
        with self._changed:
            if self._ending:
                return
            self._waiting.append((None, self._listener.closed))
            self._ending = True
            self._changed.notify()
        for _ in range(SLICES):
            self._thread.join(self._flush_seconds / SLICES)
            if not self._thread.is_alive():
                return

    @property
    def stuck(self) -> bool:
        """The listener did not end in time: its thread still holds whatever it was writing to.

        A process that ends with a stuck outlet should use `os._exit`: the interpreter's own end
        would wait for, or crash on, the stream that the thread has locked.
        """
        return self._ending and self._thread.is_alive()

    def _put(self, record: Record | None, call: Callable[[], None]) -> None:
        with self._changed:
            if self._ending:
                return
            if self._in_a_row >= GIVE_UP_AFTER:
                self.dropped += record is not None
                return
            if len(self._waiting) >= self._room:
                oldest, _ = self._waiting.popleft()
                self.dropped += oldest is not None
            self._waiting.append((record, call))
            self._changed.notify()

    def _tell(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._ending:
                        return
                    self._changed.wait()
                _, call = self._waiting.popleft()
            try:
                call()
            except Exception:  # noqa: BLE001  whatever a view does wrong is the view's loss alone
                self._fell()
            else:
                self._in_a_row = 0

    def _fell(self) -> None:
        with self._changed:
            self.failed += 1
            self._in_a_row += 1
            if self._in_a_row >= GIVE_UP_AFTER:
                self.dropped += sum(record is not None for record, _ in self._waiting)
                self._waiting.clear()
