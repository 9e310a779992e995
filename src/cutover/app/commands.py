"""Words to a run: leave it where the run's process will find it, and see whether it was heard."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cutover.core.errors import LeaseError, RefusedError, UsageError
from cutover.core.observation import CommandName, OperatorCommand
from cutover.local.clock import SystemClock
from cutover.local.command_pipe import send
from cutover.local.disk import unguessable
from cutover.local.holders import driver
from cutover.local.inbox import enqueue
from cutover.local.run_directory import TERMINAL, RunDirectory
from cutover.local.state_directory import StateDirectory
from cutover.local.view_file import KeptView, read_view
from cutover.ports import Clock
from cutover.ports.holder import Holder

HEARD_WITHIN_MS = 30_000
"""The loop hears a command within a quarter of a second, unless AWS keeps a turn for its 13 s deadline."""

_LOOK_EVERY_MS = 200
_AFTERWARDS_MS = 5_000
"""How long after the command is journalled the end of its turn, or of its process, is waited for."""


@dataclass(frozen=True)
class Acknowledged:
    """The run's process journalled the command.

    Attributes:
        by: the process.
        followed: what it journalled from the command on.
        gone: it drives the run no more.
    """

    by: Holder
    followed: tuple[dict[str, Any], ...]
    gone: bool = False


@dataclass(frozen=True)
class Queued:
    """No process drives the run: the command lies in `path`, or nowhere on a disk that takes nothing.

    `start` is how long the journal was when the command was left. `piped`: it went through the pipe of a process.
    `id`: the id that the command was left with, and that its record will have.
    """

    path: Path | None
    start: int
    piped: bool = False
    id: str = ""


@dataclass(frozen=True)
class NoReply:
    """A process holds the run's lock but has not heard the command; it waits there, in a file or in the pipe."""

    by: Holder
    piped: bool = False


@dataclass(frozen=True)
class Unreached:
    """A process holds the run's lock, and a rollback can be told to it neither by file nor by pipe."""

    by: Holder
    why: str


def say(
    place: StateDirectory,
    run: RunDirectory,
    command: OperatorCommand,
    *,
    left: Queued | None = None,
    clock: Clock | None = None,
    within_ms: int = HEARD_WITHIN_MS,
) -> Acknowledged | Queued | NoReply | Unreached:
    """Leave the command first, then see who hears it; with `left` it lies there already, under the id that it has there.

    A command without an id gets one: its record in the journal is known by nothing else.

    Raises:
        RefusedError: when neither the disk nor the pipe takes the command; its hint says what works then.
        LeaseError: when nobody can tell whether a process drives the run; a rollback goes on without.
    """
    clock = clock or SystemClock()
    lies_there = left if left is not None and left.path is not None else None
    command = replace(
        command, id=(lies_there.id if lies_there else "") or command.id or unguessable()
    )

    def find() -> Holder | None:
        try:
            return driver(place, run.id)
        except LeaseError:
            if command.name is not CommandName.ROLLBACK:
                raise
            return None  # whoever takes the lease finds out

    # looked up before: the process may hear the command, act and end while it is being made durable
    last = find()
    if lies_there is None:
        try:
            lies_there = _leave(run, command, clock)
        except RefusedError as error:
            if command.name is not CommandName.ROLLBACK:
                raise
            if last is not None and find() is not None:
                return Unreached(last, str(error))
            # whoever says it does it: a full disk must not keep the traffic where it is (docs/promises.md P13)
            return Queued(None, _size(run), id=command.id)
    return _answer(run, lies_there, last, find, clock=clock, within_ms=within_ms)


def _answer(
    run: RunDirectory,
    left: Queued,
    last: Holder | None,
    find: Callable[[], Holder | None],
    *,
    clock: Clock,
    within_ms: int,
) -> Acknowledged | Queued | NoReply:
    """What becomes of the command that lies there; `last` held the lease before it was left."""
    deadline = clock.now().plus(within_ms)
    while True:
        found = find()
        last = found or last
        if last is not None and _since(run, left.start, left.id):
            return Acknowledged(
                last, *_what_followed(run, left.start, left.id, clock, lambda: find() is not None)
            )
        if found is None:
            return left
        if clock.now().after(deadline) > 0:
            return NoReply(found, left.piped)
        clock.sleep(_LOOK_EVERY_MS)


def _leave(run: RunDirectory, command: OperatorCommand, clock: Clock) -> Queued:
    """The command in a file, which outlives every process; else in the pipe of the one that drives the run."""
    start = _size(run)
    try:
        return Queued(enqueue(run, command, clock.now()), start, id=command.id)
    except RefusedError as refused:
        try:
            send(run, command)
        except OSError as error:
            raise RefusedError(
                f"{refused}; and no process listens at {run.pipe}: {error.strerror or error}",
                hint=refused.hint,
            ) from None
        return Queued(None, start, piped=True, id=command.id)


def _what_followed(
    run: RunDirectory,
    start: int,
    command_id: str,
    clock: Clock,
    driven: Callable[[], bool],
) -> tuple[tuple[dict[str, Any], ...], bool]:
    """The command and what came of it: to a new phase, the end of its turn, or the end of its process (True)."""
    until = clock.now().plus(_AFTERWARDS_MS)
    while True:
        # looked at before the journal: what is over has written everything
        gone = not driven()
        view = read_view(run)
        followed = _since(run, start, command_id)
        phase = next((str(one.get("after")) for one in followed if one.get("type") == "phase"), "")
        if gone or clock.now().after(until) > 0:
            return followed, gone
        # a phase that ends the run is followed by the end of its process
        if phase not in TERMINAL and (phase or (followed and _is_over(followed[0], view))):
            return followed, gone
        clock.sleep(_LOOK_EVERY_MS)


def _is_over(said: dict[str, Any], view: KeptView | None) -> bool:
    """The turn that journalled the command is over: view.json is written last, with the turn's own time."""
    if view is None or said.get("boot_id") != view.boot_id:
        return False
    then = said.get("boot_ms")
    return isinstance(then, int) and view.boot_ms >= then


def take_back(waiting: Queued, run: RunDirectory) -> None:
    """Remove a command that nobody heard."""
    if waiting.path is None:
        return
    with contextlib.suppress(OSError):  # heard in this very moment, or a disk that takes nothing
        run.disk.remove(waiting.path)


def _size(run: RunDirectory) -> int:
    try:
        if run.fallbacks():
            return len(run.journal_bytes())
        found = run.disk.look(run.journal)
        return 0 if found is None else found.size
    except (OSError, UsageError):
        return 0


def _since(run: RunDirectory, start: int, command_id: str) -> tuple[dict[str, Any], ...]:
    """The journal's records from the command with this id on, unverified: they are only shown."""
    try:
        whole = bool(run.fallbacks())
        new = run.journal_bytes()[start:] if whole else run.disk.read_from(run.journal, start)
    except (OSError, UsageError):
        return ()
    found: list[dict[str, Any]] = []
    for line in new.split(b"\n")[:-1]:
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(data, dict):
            continue
        ours = data.get("type") == "command" and data.get("id") == command_id
        if found or ours:
            found.append(data)
    return tuple(found)
