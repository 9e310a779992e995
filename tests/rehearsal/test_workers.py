"""Work side by side in real processes, of which some are killed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cutover.core.errors import RefusedError, UsageError
from cutover.local.clock import SystemClock
from cutover.wiring.workers import side_by_side

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
    with pytest.raises(ZeroDivisionError) as caught:
        list(side_by_side([_break, _pid], 2, contextlib.nullcontext))
    assert "in _break" in caught.value.__notes__[0]
    assert threading.active_count() == 1
