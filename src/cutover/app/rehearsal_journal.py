"""A rehearsal's journal and files: it ends when they cannot be kept, and a full disk is left as it was found."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, cast

from cutover.core.errors import CutoverError, JournalError, RefusedError
from cutover.core.journal.events import Event, Record, Snapshot
from cutover.core.moment import Moment
from cutover.core.observation import Known, Reading, Unknown
from cutover.local.journal import FileJournal
from cutover.local.rehearsal_file import discard
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from cutover.ports.store import RestoreText

_FULL = (errno.ENOSPC, errno.EDQUOT)


class RehearsalJournal(FileJournal):
    """A journal whose failures end the rehearsal: nothing real hangs on it, so nothing is saved elsewhere."""

    @classmethod
    def begun(cls, run: RunDirectory, restore_text: RestoreText) -> Self:
        """The journal of its first process.

        Raises:
            RefusedError: when the disk does not take it.
        """
        return cast("Self", cls.open_new(run, restore_text=restore_text, durable=False))

    @classmethod
    def again(cls, run: RunDirectory, restore_text: RestoreText) -> Self:
        """The journal of a process after the first one.

        Raises:
            RefusedError: when it cannot be read or written.
        """
        try:
            return cast("Self", cls.open_existing(run, restore_text=restore_text, durable=False))
        except JournalError as error:
            raise _lost(str(error)) from None

    def taken(self, event: Event, at: Moment) -> Record:
        """The record, in the journal.

        Raises:
            RefusedError: when it does not take it.
        """
        appended = self.append(event, at)
        if isinstance(appended, Known):
            return appended.value
        raise _lost(_why(appended))  # pragma: no cover - append_all raises first

    def append_all(self, events: Sequence[Event], at: Moment) -> Reading[tuple[Record, ...]]:
        """The records, in the journal.

        Raises:
            RefusedError: when it does not take them.
        """
        appended = super().append_all(events, at)
        if isinstance(appended, Known):
            return appended
        raise _lost(_why(appended))

    def bug(self, error: Exception) -> None:
        """End the rehearsal with it: nothing real hangs on going on.

        Raises:
            Exception: the error itself.
        """
        raise error

    def keep_snapshot(self, snapshot: Snapshot, commands: Sequence[str]) -> Reading[None]:
        """snapshot.json and restore.sh.

        Raises:
            RefusedError: when the disk does not take them.
        """
        kept = super().keep_snapshot(snapshot, commands)
        if not isinstance(kept, Known):
            raise _lost(_why(kept))
        return kept


def _why(refused: Reading[Any]) -> str:
    return refused.reason if isinstance(refused, Unknown) else "it was not asked"


def _lost(why: str) -> RefusedError:
    return RefusedError(
        f"the rehearsal cannot keep its journal: {why}",
        hint="look at that place, or set CUTOVER_STATE_DIR to another local disk; a rehearsal begins afresh",
    )


@contextmanager
def room_in(place: StateDirectory, run: RunDirectory) -> Iterator[None]:
    """Inside, a full disk becomes one refusal, and the files of the rehearsal are removed.

    Raises:
        RefusedError: when there is no space left.
    """
    try:
        yield
    except (CutoverError, OSError) as error:
        if not _full(error):
            raise
        discard(run)
        raise RefusedError(
            f"no space left in {place.root}: the rehearsal cannot keep its journal; its files were removed",
            hint="free space there, or set CUTOVER_STATE_DIR to another local disk",
        ) from None


def _full(error: BaseException) -> bool:
    """The disk said so: by the error itself, by what it was made of, or by the journal's words."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    if any(os.strerror(code) in str(error) for code in _FULL):
        return True
    return error.__context__ is not None and _full(error.__context__)
