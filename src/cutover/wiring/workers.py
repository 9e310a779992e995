"""Processes that rehearse side by side: they end with the work, with a signal, and with the process that began them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from cutover.core.errors import CutoverError, RefusedError, StoppedError

T = TypeVar("T")

_GRACE_SECONDS = 0.5
"""How long a process may take to write that it was ended; a rehearsal needs milliseconds."""


def side_by_side(
    calls: Sequence[Callable[[], T]],
    count: int,
    safely: Callable[[], AbstractContextManager[None]],
) -> Generator[tuple[int, T], None, None]:
    """Each call's index and result as it comes, from at most `count` processes, which end when this does.

    Each process has a pipe of its own, whose other end nobody else holds: one that is killed in the middle of
    its answer is the end of that pipe. A `ProcessPoolExecutor` shares one pipe, and waits for the rest forever.

    Args:
        calls: with arguments and results that can be pickled.
        count: how many processes there may be.
        safely: surrounds each wait for an answer; it may raise what ends the work.

    Raises:
        RefusedError: when one of the processes was ended from outside.
        Exception: what a call raised.
    """
    crew: list[tuple[BaseProcess, Connection]] = []
    left = iter(enumerate(calls))
    busy: dict[Any, int] = {}
    try:
        # in this order: `zip` takes no call for which there is no process
        for _, (index, call) in zip(range(count), left, strict=False):
            crew.append(_begun())
            busy[_given(crew[-1][1], call)] = index
        while busy:
            with safely():
                answered = connection.wait(list(busy))
            for pipe in answered:
                index, result = busy.pop(pipe), _answer(pipe)
                for following, call in left:
                    busy[_given(pipe, call)] = following
                    break
                yield index, result
    finally:
        _end([process for process, _ in crew])
        for _, pipe in crew:
            pipe.close()


def _begun() -> tuple[BaseProcess, Connection]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _given(pipe: Any, call: Callable[[], object]) -> Any:
    try:
        pipe.send(call)
    except OSError:
        raise _ended_from_outside() from None
    return pipe


def _answer(pipe: Any) -> Any:
    try:
        ok, value = pipe.recv()
    except (EOFError, OSError):
        raise _ended_from_outside() from None
    if not ok:
        raise value
    return value


def _ended_from_outside() -> RefusedError:
    return RefusedError(
        "a process that rehearses was ended from outside",
        hint="`cutover list --rehearsals` shows what was interrupted; is there enough memory?",
    )


def _work(pipe: Connection) -> None:
    """What a process does: call after call, until it is ended."""
    _begin()
    while True:
        call = pipe.recv()
        try:
            answer = True, call()
        except StoppedError as stopped:
            # a signal ended the call: it is meant for the process too
            os._exit(int(stopped.exit_code))
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            if not isinstance(error, CutoverError):
                error.add_note(traceback.format_exc())
            answer = False, error
        pipe.send(answer)


def _begin() -> None:
    """What a process is before its first call: it hears its parent, and ends when that is gone."""
    # a terminal sends Ctrl-C to all of us: the parent hears it, and ends us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for one in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(one) != signal.SIG_IGN:
            signal.signal(one, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(parent: Any) -> None:
    connection.wait([parent])
    os._exit(1)


def _end(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    late = {process.sentinel: process for process in processes}
    while late:
        ended = connection.wait(list(late), timeout=_GRACE_SECONDS)
        if not ended:
            for process in late.values():
                process.kill()
        for sentinel in ended:
            late.pop(sentinel).join()  # type: ignore[arg-type]
