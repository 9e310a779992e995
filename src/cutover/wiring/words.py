"""Words to a run: leave it where the run's process will find it, and see whether it was heard."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutover.core.observation import Word
from cutover.local.clock import SystemClock
from cutover.local.lease import Holder
from cutover.local.mailbox import leave_word
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from cutover.ports import Clock
from cutover.wiring.offline import driver_of

HEARD_WITHIN_MS = 30_000
"""The loop hears a word within a quarter of a second, unless AWS keeps a turn for its 13 s deadline."""

_LOOK_EVERY_MS = 200
_AFTERWARDS_MS = 600
"""How long after the word is journalled its first consequence is waited for."""


@dataclass(frozen=True)
class Heard:
    """The run's process journalled the word; `followed` is what it journalled from there on."""

    by: Holder
    followed: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Waiting:
    """No process drives the run: the word lies in `path`."""

    path: Path


@dataclass(frozen=True)
class Silent:
    """A process holds the run's lock but has not heard the word."""

    by: Holder


def say(
    place: StateDirectory,
    run: RunDirectory,
    routes: Sequence[str],
    word: Word,
    *,
    clock: Clock | None = None,
    within_ms: int = HEARD_WITHIN_MS,
) -> Heard | Waiting | Silent:
    """Leave the word first, then see who hears it.

    Raises:
        RefusedError: when the disk does not take the word; its hint says what works then.
    """
    clock = clock or SystemClock()
    start = _size(run)
    path = leave_word(run, word, clock.now())
    deadline = clock.now().plus(within_ms)
    last: Holder | None = None
    while True:
        driver = driver_of(place, run, routes)
        last = driver or last
        followed = _since(run, start, word)
        if followed and last is not None:
            clock.sleep(_AFTERWARDS_MS)
            return Heard(last, _since(run, start, word))
        if driver is None:
            return Waiting(path)
        if clock.now().after(deadline) > 0:
            return Silent(driver)
        clock.sleep(_LOOK_EVERY_MS)


def take_back(waiting: Waiting, run: RunDirectory) -> None:
    """Remove a word that nobody heard."""
    with contextlib.suppress(OSError):  # heard in this very moment, or a disk that takes nothing
        run.disk.remove(waiting.path)


def _size(run: RunDirectory) -> int:
    try:
        return len(run.disk.read(run.journal))
    except OSError:
        return 0


def _since(run: RunDirectory, start: int, word: Word) -> tuple[dict[str, Any], ...]:
    """The journal's records from the word on, unverified: they are only shown."""
    try:
        new = run.disk.read(run.journal)[start:]
    except OSError:
        return ()
    found: list[dict[str, Any]] = []
    for line in new.split(b"\n")[:-1]:
        try:
            data = json.loads(line)
        except ValueError:
            continue
        if not isinstance(data, dict):
            continue
        ours = (
            data.get("type") == "word"
            and data.get("word") == word.name
            and data.get("who") == word.who
        )
        if found or ours:
            found.append(data)
    return tuple(found)
