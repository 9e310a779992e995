"""A signal ends a rehearsal where its journal is whole: between two records, or while it sleeps to be watched."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from cutover.core.journal.events import Close, Record
from cutover.core.moment import Moment
from cutover.ports import Listener

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalError(BaseException):
    """A signal came: no `except Exception` may keep it from ending what goes on."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        """As people call it."""
        name = signal.Signals(self.number).name
        return "Ctrl-C" if self.number == signal.SIGINT else name


class StopOnSignal(Listener):
    """Hears the first signal and raises `SignalError` at the next safe place; the second one at once.

    Give it to the runner as the last listener, so that the others know every record of the journal.
    """

    def __init__(self) -> None:
        self.number = 0
        self._safe = False

    def on_record(self, record: Record) -> None:
        """A record is in the journal; after `Close` there is nothing left to stop."""
        if not isinstance(record.event, Close):
            self.check()

    def on_tick(self, at: Moment, next_look: Moment, reason: str) -> None:
        """A turn is over."""
        self.check()

    def check(self) -> None:
        """Raise what came until now."""
        if self.number:
            raise SignalError(self.number)

    @contextmanager
    def safely(self) -> Iterator[None]:
        """Inside, a signal may raise at any place."""
        self._safe = True
        try:
            self.check()
            yield
        finally:
            self._safe = False

    def pacing(self, pace: Callable[[int], None]) -> Callable[[int], None]:
        """The same pace, whose sleep a signal ends."""

        def paced(ms: int) -> None:
            with self.safely():
                pace(ms)

        return paced

    @contextmanager
    def installed(self) -> Iterator[StopOnSignal]:
        """Hear signals inside the block, except ignored ones (`nohup`); what nobody heard is sent again after it.

        Outside the main thread Python can install no handler: then nothing is heard.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before: dict[signal.Signals, Any] = {}
        heard = False
        try:
            for one in HEARD:
                if signal.getsignal(one) not in (signal.SIG_IGN, None):
                    before[one] = signal.signal(one, self._handle)
            yield self
        except SignalError:
            heard = True
            raise
        finally:
            for number, old in before.items():
                signal.signal(number, old)
            if self.number and not heard:
                os.kill(os.getpid(), self.number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self.number = bool(self.number), number
        if again or self._safe:
            raise SignalError(number)
