from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial

import pytest

from cutover.aws.fanout import DEADLINE_MS, SLICE_MS, Inline, Threads, too_late
from cutover.aws.retry import Failure, Kind
from cutover.core.moment import Moment
from tests.aws.topology import StepClock

PATIENT_MS = 1_000
"""A few looks long: a thread that a loaded machine begins late has begun by the last of them."""


class LooksClock(StepClock):
    """A look takes as long as it waits, however long the machine takes for it."""

    def now(self) -> Moment:
        self.at = self.at.plus(SLICE_MS)
        return self.at


def test_calls_run_side_by_side_and_answer_in_the_order_asked() -> None:
    meeting = threading.Barrier(3, timeout=30)  # only passes when all three run at once

    def met(name: str) -> str:
        meeting.wait()
        return name

    calls = {name: partial(met, name) for name in "abc"}
    assert list(Threads(StepClock()).run(calls).items()) == [("a", "a"), ("b", "b"), ("c", "c")]


def test_a_call_that_hangs_is_late_and_one_that_never_began_never_will() -> None:
    release, ran = threading.Event(), []
    calls = {"hangs": lambda: release.wait(30), "waits": lambda: ran.append("waits")}
    found = Threads(StepClock(), most=1, deadline_ms=PATIENT_MS).run(calls)
    assert found == dict.fromkeys(("hangs", "waits"), too_late(PATIENT_MS))
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("cutover-aws"):
            thread.join(30)
    assert ran == []


def test_what_came_in_time_is_kept_beside_what_did_not() -> None:
    release = threading.Event()
    calls = {"hangs": release.wait, "quick": lambda: 7}
    found = Threads(StepClock(), deadline_ms=PATIENT_MS).run(calls)
    release.set()
    assert found == {"hangs": too_late(PATIENT_MS), "quick": 7}


def test_nothing_to_call_is_nothing() -> None:
    assert Threads(StepClock()).run({}) == {}
    assert Inline().run({}) == {}


@pytest.mark.parametrize("fanout", [Inline(), Threads(StepClock())])
def test_a_bug_in_one_call_takes_nothing_from_the_others_and_says_where_it_is(
    fanout: Inline | Threads,
) -> None:
    found = fanout.run({"bug": lambda: int("x"), "fine": lambda: 7})
    assert found["fine"] == 7
    failure = found["bug"]
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.code) == (Kind.UNEXPECTED, "bug")
    assert "ValueError at test_fanout.py:" in failure.message


@pytest.mark.parametrize("fanout", [Inline(), Threads(StepClock())])
def test_what_is_meant_to_end_the_process_ends_it(fanout: Inline | Threads) -> None:
    with pytest.raises(SystemExit):
        fanout.run({"ends": partial(sys.exit, 3)})


def test_inline_calls_run_in_order() -> None:
    said: list[int] = []
    Inline().run({n: partial(said.append, n) for n in range(5)})
    assert said == list(range(5))


def test_a_machine_without_another_thread_makes_the_calls_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    assert Threads(StepClock()).run({n: partial(pow, n, 2) for n in range(3)}) == {
        0: 0,
        1: 1,
        2: 4,
    }


def test_a_hanging_call_does_not_keep_the_process_alive() -> None:
    program = (
        "import threading, sys\n"
        "from tests.aws.topology import StepClock\n"
        "from cutover.aws.fanout import Threads\n"
        "calls = {'x': threading.Event().wait}\n"
        f"print(Threads(StepClock(), deadline_ms={PATIENT_MS}).run(calls))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert "no answer within 1s" in done.stdout, done.stderr
    assert done.returncode == 0


def test_a_process_that_was_told_to_end_waits_no_longer_than_two_seconds_for_a_hung_call() -> None:
    release = threading.Event()
    clock = LooksClock()
    threads = Threads(clock)
    threads.hurry = lambda: True
    began = clock.now()
    found = threads.run({"hangs": lambda: release.wait(60), "quick": lambda: 7})
    waited = clock.now().after(began)
    release.set()
    assert found == {"hangs": too_late(DEADLINE_MS), "quick": 7}
    assert waited < DEADLINE_MS
