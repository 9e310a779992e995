"""rehearsal.json: of which scenario and judge a rehearsal is, when it really began, and whether its process lives.

The journal of a rehearsal tells emulated times only. Its process holds `flock` on this file for as long
as it lives, so that one that was killed is told from one that goes on, and both from one that ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import socket
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cutover.core.moment import Moment, parse_wall, wall_text
from cutover.core.values import canonical_json
from cutover.local.run_directory import RunDirectory

INTERRUPTED = "interrupted"
"""What `ended` says after a signal."""

_LARGEST = 65_536
_ID_TIME = re.compile(r"-([0-9]{8}-[0-9]{6})-[0-9a-f]{4}$")


@dataclass(frozen=True)
class Rehearsed:
    """What the file says of a rehearsal.

    Attributes:
        scenario: its name.
        judge: of the gates that have one; empty without such a gate.
        pid, host: of the process.
        began: real time, by this machine's clock.
        ended: how; empty while its process lives, or when it was killed.
        alive: its process holds the lock now.
    """

    scenario: str
    judge: str
    pid: int
    host: str
    began: datetime
    ended: str = ""
    alive: bool = False

    @property
    def interrupted(self) -> bool:
        """It was stopped, or its process died, before it came to an end."""
        return not self.alive and self.ended in ("", INTERRUPTED)


class Attended:
    """The file of a rehearsal that goes on: locked until `close`, or until the process dies."""

    def __init__(self, run: RunDirectory, said: Rehearsed, handle: int) -> None:
        self._run = run
        self._said = said
        self._handle: int | None = handle

    @classmethod
    def begin(cls, run: RunDirectory, scenario: str, judge: str, now: Moment) -> Attended:
        """Write the file and lock it.

        Raises:
            OSError: when the disk does not take it.
        """
        said = Rehearsed(scenario, judge, os.getpid(), socket.gethostname(), now.wall)
        handle = run.disk.open_lock(_path(run))
        try:
            # blocking: at most a reader holds it, for the moment of its question
            fcntl.flock(handle, fcntl.LOCK_EX)
            run.disk.write_all(handle, _text(said))
        except OSError:
            run.disk.close(handle)
            raise
        return cls(run, said, handle)

    def end(self, how: str) -> None:
        """Write how it ended; a disk that does not take it leaves an interrupted rehearsal."""
        with contextlib.suppress(OSError):
            self._run.disk.keep(_path(self._run), _text(replace(self._said, ended=how)), durable=False)  # fmt: skip

    def close(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self._run.disk.close(self._handle)
        self._handle = None


def read_rehearsed(run: RunDirectory) -> Rehearsed | None:
    """What the file says, and the lock; None for a live run and where nothing can be read."""
    path = _path(run)
    try:
        if run.disk.look(path) is None:
            return None
        alive = _locked(run, path)
        data = json.loads(run.disk.read(path, _LARGEST))
        return Rehearsed(
            str(data["scenario"]),
            str(data["judge"]),
            int(data["pid"]),
            str(data["host"]),
            parse_wall(data["began"]),
            str(data["ended"]),
            alive,
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def really_began(run: RunDirectory, said: Rehearsed | None) -> datetime | None:
    """When a rehearsal began by this machine's clock: from its file, else from its id."""
    if said is not None:
        return said.began
    found = _ID_TIME.search(run.id)
    try:
        return datetime.strptime(found[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def discard(run: RunDirectory) -> None:
    """Remove a rehearsal's files, as far as the disk lets us."""
    for directory in (run.commands, run.path):
        with contextlib.suppress(OSError):
            for name in run.disk.list(directory):
                with contextlib.suppress(OSError):
                    run.disk.remove(directory / name)
            run.disk.remove_directory(directory)


def _path(run: RunDirectory) -> Path:
    return run.path / "rehearsal.json"


def _text(said: Rehearsed) -> bytes:
    data = {
        "scenario": said.scenario,
        "judge": said.judge,
        "pid": said.pid,
        "host": said.host,
        "began": wall_text(said.began),
        "ended": said.ended,
    }
    return canonical_json(data).encode("ascii")


def _locked(run: RunDirectory, path: Path) -> bool:
    handle = run.disk.open_lock(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        run.disk.close(handle)
    return False
