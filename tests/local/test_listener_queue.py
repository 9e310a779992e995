"""A listener that blocks, raises or dies never delays the loop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from cutover.core.journal.events import Record
from cutover.core.moment import Moment
from cutover.local.clock import SystemClock
from cutover.local.listener_queue import GIVE_UP_AFTER, ListenerQueue
from cutover.ports import Listener
from tests import records
from tests.local.samples import AT

PATIENCE = 60.0


def record(number: int) -> Record:
    return Record(number, 1, AT, records.note(str(number)))


class Recorder(Listener):
    """Writes down what it is told; `gate` holds it, `broken` makes it raise."""

    def __init__(self, *, held: bool = False) -> None:
        self.heard: list[object] = []
        self.broken: Exception | None = None
        self.entered = threading.Event()
        self.gate = threading.Event()
        if not held:
            self.gate.set()

    def _hear(self, what: object) -> None:
        self.entered.set()
        self.gate.wait(60)
        if self.broken is not None:
            raise self.broken
        self.heard.append(what)

    def on_record(self, record: Record) -> None:
        self._hear(record.seq)

    def on_tick(self, at: Moment, next_look: Moment, reason: str) -> None:
        self._hear(reason)

    def closed(self) -> None:
        self._hear("closed")


def test_everything_is_told_in_order_and_closing_flushes() -> None:
    listener = Recorder()
    outlet = ListenerQueue(listener, flush_seconds=PATIENCE)
    outlet.on_record(record(1))
    outlet.on_tick(AT, AT, "nothing new")
    outlet.on_record(record(2))
    outlet.closed()
    assert listener.heard == [1, "nothing new", 2, "closed"]
    assert (outlet.dropped, outlet.failed, outlet.stuck) == (0, 0, False)
    outlet.on_record(record(3))
    outlet.closed()
    assert listener.heard[-1] == "closed"


def test_a_listener_that_blocks_loses_the_oldest_records_and_delays_nobody() -> None:
    listener = Recorder(held=True)
    outlet = ListenerQueue(listener, room=3, flush_seconds=PATIENCE)
    outlet.on_record(record(1))
    assert listener.entered.wait(30)
    for number in range(2, 1_000):
        outlet.on_record(record(number))
    assert outlet.dropped == 995
    listener.gate.set()
    outlet.closed()
    assert listener.heard == [1, 997, 998, 999, "closed"]


def test_closing_gives_a_blocked_listener_a_bounded_time() -> None:
    listener = Recorder(held=True)
    outlet = ListenerQueue(listener, flush_seconds=0.05)
    outlet.on_record(record(1))
    outlet.closed()
    assert outlet.stuck
    assert listener.heard == []
    listener.gate.set()


STALLED = """
import os, signal, sys, threading
from cutover.local.listener_queue import ListenerQueue
from cutover.ports import Listener

class Stalls(Listener):
    def on_record(self, record):
        pass

    def closed(self):
        os.kill(os.getpid(), signal.SIGSTOP)
        threading.Event().wait(0.05)

outlet = ListenerQueue(Stalls(), flush_seconds=1.0)
outlet.closed()
sys.exit(int(outlet.stuck))
"""


def test_a_machine_that_stalls_does_not_use_up_the_time_of_a_listener() -> None:
    process = subprocess.Popen([sys.executable, "-c", STALLED])
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    SystemClock().sleep(1_100)
    process.send_signal(signal.SIGCONT)
    assert process.wait(PATIENCE) == 0


def test_a_closed_terminal_is_given_up_after_some_failures() -> None:
    listener = Recorder(held=True)
    listener.broken = BrokenPipeError()
    outlet = ListenerQueue(listener, flush_seconds=PATIENCE)
    for number in range(GIVE_UP_AFTER + 10):
        outlet.on_record(record(number))
    listener.gate.set()
    while outlet.failed < GIVE_UP_AFTER:
        threading.Event().wait(0.001)
    outlet.on_record(record(99))
    listener.broken = None
    outlet.closed()
    assert (outlet.failed, outlet.dropped) == (GIVE_UP_AFTER, 11)
    assert listener.heard == ["closed"]


def test_one_failure_costs_one_record() -> None:
    listener = Recorder(held=True)
    outlet = ListenerQueue(listener, flush_seconds=PATIENCE)
    listener.broken = ValueError("a bug in a view")
    outlet.on_record(record(1))
    assert listener.entered.wait(30)
    listener.gate.set()
    while not outlet.failed:
        threading.Event().wait(0.001)
    listener.broken = None
    outlet.on_record(record(2))
    outlet.closed()
    assert listener.heard == [2, "closed"]
    assert outlet.failed == 1
