"""Processes that rehearse side by side: they end with the work, with a signal, and with the process that began them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

from cutover.app.rehearsal_signals import HEARD
from cutover.core.errors import CutoverError, RefusedError, StoppedError

T = TypeVar("T")

_GRACE_SECONDS = 5.0
"""How long a process may take to write that it was ended; a rehearsal needs milliseconds, unless the machine stalls."""

_LOOK_SECONDS = 1.0
"""So often who waits is asked whether it still may: a signal just before the wait begins does not end it."""


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
                answered = connection.wait(list(busy), timeout=_LOOK_SECONDS)
            for pipe in answered:
                index, result = busy.pop(pipe), _answer(pipe)
                for following, call in left:
                    busy[_given(pipe, call)] = following
                    break
                yield index, result
    except _EndedError:
        with safely():
            pass  # a signal for all of us ends the processes too: then it is what is told
        raise _ended_from_outside() from None
    finally:
        _end([process for process, _ in crew])
        for _, pipe in crew:
            pipe.close()


class _EndedError(Exception):
    """The other end of a pipe is gone."""


def _begun() -> tuple[BaseProcess, Connection]:
    # a copy of us is quick; but a lock that another thread of ours holds would be held in the copy for ever
    alone = threading.active_count() == 1
    context = get_context("fork") if alone else get_context("spawn")
    ours, theirs = context.Pipe()
    process: BaseProcess = context.Process(target=_work, args=(theirs,), daemon=True)
    if not alone:
        resource_tracker.ensure_running()  # it unblocks signals when it begins, which `start` would do below
    # it begins as a copy of us, which would only take note of a signal: until it hears in its own way, signals wait
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return process, ours


def _given(pipe: Any, call: Callable[[], object]) -> Any:
    try:
        pipe.send(call)
    except OSError:
        raise _EndedError from None
    return pipe


def _answer(pipe: Any) -> Any:
    try:
        ok, value = pipe.recv()
    except (EOFError, OSError):
        raise _EndedError from None
    if not ok:
        raise _put_together(*value)
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
        try:
            call = pipe.recv()
        except (EOFError, OSError):
            os._exit(1)  # nobody asks any more
        try:
            answer = ForkingPickler.dumps((True, call()))
        except StoppedError as stopped:
            # a signal ended the call: it is meant for the process too
            os._exit(int(stopped.exit_code))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            if not isinstance(error, CutoverError):
                error.add_note(traceback.format_exc())
            answer = ForkingPickler.dumps((False, _parts(error)))
        pipe.send_bytes(answer)


Parts = tuple[type[BaseException], tuple[object, ...], dict[str, object]]


def _parts(error: BaseException) -> Parts:
    """What the error is made of: its constructor may want other arguments than pickle would give it."""
    parts: Parts = type(error), error.args, dict(error.__dict__)
    try:
        again = _put_together(*pickle.loads(pickle.dumps(parts)))  # noqa: S301 - our own
        whole = isinstance(error, Exception) and str(again) == str(error)
    except Exception:  # noqa: BLE001 - whatever it holds may raise what it likes
        whole = False
    if whole:
        return parts
    said = f"{type(error).__name__}: {error}"
    return RuntimeError, (said,), {"__notes__": list(getattr(error, "__notes__", ()))}


def _put_together(
    kind: type[BaseException], said: tuple[object, ...], more: dict[str, object]
) -> BaseException:
    error = kind.__new__(kind, *said)
    error.__dict__.update(more)
    return error


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
    # only now: the thread never hears one, so each wakes the work
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)


def _end_with(parent: Any) -> None:
    connection.wait([parent])
    os._exit(1)


def _end(processes: list[BaseProcess]) -> None:
    try:
        _end_in_order(processes)
    except BaseException:  # a second signal: at once
        for process in processes:
            process.kill()
        raise


def _end_in_order(processes: list[BaseProcess]) -> None:
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
