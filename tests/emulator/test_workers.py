"""Work side by side in real processes, of which some are killed."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from cutover.app.rehearsal_signals import SignalError, StopOnSignal
from cutover.app.rehearsal_workers import side_by_side
from cutover.core.errors import PlanError, Problem, RefusedError, UsageError
from cutover.local.clock import SystemClock

MORE_THAN_A_PIPE_HOLDS = 10_000_000
PATIENCE = 600


def _soon(said: Callable[[], object]) -> None:
    for _ in range(PATIENCE):
        if said():
            return
        SystemClock().sleep(50)
    pytest.fail("it never came")


def _large(pid: Path, begin: Path) -> bytes:
    """An answer that cannot be written until somebody reads it."""
    pid.write_text(str(os.getpid()))
    _soon(begin.exists)
    return bytes(MORE_THAN_A_PIPE_HOLDS)


def _say(pid: Path) -> int:
    _soon(lambda: pid.exists() and pid.read_text())
    return 1


def _refuse() -> int:
    raise UsageError("not like this", hint="do it otherwise")


def _break() -> int:
    return 1 // 0


def _refuse_plan() -> int:
    raise PlanError("plan.yaml", (Problem(1, 1, "no such gate"),), hint="mend it")


def _break_locally() -> int:
    class _LocalError(Exception):
        pass

    raise _LocalError("only here")


def _end_here() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _pass_on(pid: Path) -> None:
    """It does not end; who wants to end it hears another signal."""
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGALRM))
    pid.write_text(str(os.getpid()))
    while True:
        signal.pause()


def _pid() -> int:
    return os.getpid()


def test_every_call_is_answered_once_and_a_process_does_more_than_one() -> None:
    answers = dict(side_by_side([_pid] * 7, 2, contextlib.nullcontext))
    assert sorted(answers) == list(range(7))
    assert len(set(answers.values())) <= 2
    assert os.getpid() not in answers.values()


def test_more_processes_than_calls_are_not_begun() -> None:
    assert len(set(dict(side_by_side([_pid] * 2, 9, contextlib.nullcontext)).values())) <= 2
    assert list(side_by_side([], 2, contextlib.nullcontext)) == []


def test_a_process_killed_in_the_middle_of_its_answer_is_an_error_and_not_a_wait(
    tmp_path: Path,
) -> None:
    pid, begin = tmp_path / "pid", tmp_path / "begin"
    calls: list[Callable[[], object]] = [partial(_large, pid, begin), partial(_say, pid)]
    answers = side_by_side(calls, 2, contextlib.nullcontext)
    assert next(answers) == (1, 1)
    begin.touch()
    _soon(lambda: _blocked(int(pid.read_text())))
    os.kill(int(pid.read_text()), signal.SIGKILL)
    with pytest.raises(RefusedError, match="ended from outside"):
        next(answers)


def test_who_stops_listening_in_the_middle_of_an_answer_leaves_no_process(tmp_path: Path) -> None:
    pid, begin = tmp_path / "pid", tmp_path / "begin"
    calls: list[Callable[[], object]] = [partial(_large, pid, begin), partial(_say, pid)]
    answers = side_by_side(calls, 2, contextlib.nullcontext)
    next(answers)
    begin.touch()
    _soon(lambda: _blocked(int(pid.read_text())))
    answers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def _blocked(pid: int) -> bool:
    """It waits in a write, as far as the kernel tells."""
    try:
        call = Path(f"/proc/{pid}/syscall").read_text().split()[0]
    except OSError:
        return True
    return call in {"1", "64"}  # of x86-64 and of arm64


def test_what_a_call_raises_is_raised_here_with_its_hint() -> None:
    with pytest.raises(UsageError, match="not like this") as caught:
        list(side_by_side([_refuse, _pid], 2, contextlib.nullcontext))
    assert caught.value.hint == "do it otherwise"


def test_a_bug_in_a_call_says_where_it_was() -> None:
    threads = threading.active_count()
    with pytest.raises(ZeroDivisionError) as caught:
        list(side_by_side([_break, _pid], 2, contextlib.nullcontext))
    assert "in _break" in caught.value.__notes__[0]
    assert threading.active_count() == threads


def test_a_plan_that_is_wrong_comes_with_its_problems() -> None:
    with pytest.raises(PlanError, match=r"plan\.yaml: 1 error") as caught:
        list(side_by_side([_refuse_plan, _pid], 2, contextlib.nullcontext))
    assert [one.message for one in caught.value.problems] == ["no such gate"]
    assert caught.value.hint == "mend it"


def test_an_error_that_no_other_process_can_have_comes_in_words() -> None:
    with pytest.raises(RuntimeError, match="_LocalError: only here") as caught:
        list(side_by_side([_break_locally, _pid], 2, contextlib.nullcontext))
    assert "in _break_locally" in caught.value.__notes__[0]


def test_a_signal_to_all_processes_is_told_as_the_signal_and_not_as_a_process_that_ended() -> None:
    stop = StopOnSignal()

    def killed() -> Iterator[None]:
        """The processes hear it first: their ends are there before anybody waits."""
        stop.check()
        yield
        stop.number = stop.number or signal.SIGTERM

    answers = side_by_side([_end_here, _end_here], 2, contextlib.contextmanager(killed))
    with pytest.raises(SignalError) as caught:
        next(answers)
    assert caught.value.number == signal.SIGTERM


NOTED = """
import contextlib, os, signal
from cutover.core.errors import RefusedError
from cutover.app.rehearsal_workers import side_by_side
signal.signal(signal.SIGTERM, lambda *_: None)
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
try:
    print(list(side_by_side([os.getpid], 1, contextlib.nullcontext)))
except RefusedError as error:
    print(error)
"""


def test_a_signal_to_a_process_that_is_just_beginning_ends_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOTED], capture_output=True, text=True, check=False
    )
    assert done.stdout == "a process that rehearses was ended from outside\n", done.stderr


def test_a_signal_that_comes_just_before_the_wait_is_heard_while_nothing_else_comes(
    tmp_path: Path,
) -> None:
    stop, waits = StopOnSignal(), iter((0, signal.SIGTERM))

    def late() -> Iterator[None]:
        """As if it came after the look and before the wait."""
        stop.check()
        stop.number = next(waits)
        yield

    never = partial(_soon, (tmp_path / "never").exists)
    answers = side_by_side([never], 1, contextlib.contextmanager(late))
    with pytest.raises(SignalError):
        next(answers)


def test_a_second_signal_waits_for_no_process(tmp_path: Path) -> None:
    def again(*_: object) -> None:
        raise SignalError(signal.SIGALRM)

    pid = tmp_path / "pid"
    calls: list[Callable[[], object]] = [partial(_pass_on, pid), partial(_say, pid)]
    answers = side_by_side(calls, 2, contextlib.nullcontext)
    before = signal.signal(signal.SIGALRM, again)
    try:
        next(answers)
        with pytest.raises(SignalError):
            answers.close()
    finally:
        signal.signal(signal.SIGALRM, before)
    _soon(lambda: not multiprocessing.active_children())


def test_beside_other_threads_the_processes_are_no_copies_that_could_inherit_a_held_lock() -> None:
    held, done = threading.Lock(), threading.Event()
    thread = threading.Thread(target=done.wait, daemon=True)
    thread.start()
    try:
        with held:
            _LOCKS.append(held)
            assert dict(side_by_side([_locks] * 2, 2, contextlib.nullcontext)) == {0: 0, 1: 0}
    finally:
        _LOCKS.clear()
        done.set()
        thread.join()


_LOCKS: list[threading.Lock] = []


def _locks() -> int:
    return len(_LOCKS)


def test_a_result_that_cannot_be_sent_is_an_error_that_says_so() -> None:
    with pytest.raises(Exception, match="pickle"):
        list(side_by_side([_unsendable], 1, contextlib.nullcontext))


def _unsendable() -> object:
    return lambda: None


def test_an_exit_inside_a_call_is_an_error_and_no_end_from_outside() -> None:
    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        list(side_by_side([_leaves], 1, contextlib.nullcontext))


def _leaves() -> object:
    return sys.exit(3)


def test_an_error_keeps_its_words_whatever_its_constructor_wants() -> None:
    with pytest.raises(Exception, match="invalid start byte"):
        list(side_by_side([_undecodable], 1, contextlib.nullcontext))


def _undecodable() -> object:
    return b"\xff".decode()
