"""Processes that rehearse side by side: they end with the work, with a signal, and with the process that began them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, TypeVar

from cutover.core.errors import StoppedError

P = ParamSpec("P")
T = TypeVar("T")

_GRACE_SECONDS = 0.5
"""How long a process may take to write that it was ended; a rehearsal needs milliseconds."""


@contextmanager
def workers(count: int) -> Iterator[Executor]:
    """A pool; when its block is left by an error or a signal, its processes are ended at once."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(max_workers=count, initializer=_begin)
    try:
        yield pool
    except BaseException:
        # only the processes of this pool
        _end([one for one in multiprocessing.active_children() if one not in others])
        # its processes are gone: this takes what they had finished, and waits for nothing else
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def in_worker(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """The call; when a signal ended it, the whole process ends, or it would begin the next one."""
    try:
        return call(*arguments, **named)
    except StoppedError as stopped:
        os._exit(int(stopped.exit_code))


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
            del late[sentinel]  # type: ignore[arg-type]
