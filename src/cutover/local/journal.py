"""The run's journal on this machine: durable before anything acts on it, silent never.

Every record is one write and one fdatasync. After a failure nothing is retried on the same
descriptor: the kernel may drop the pages of a failed fsync and call the next one a success
(promises, fault table: EIO). A full disk is the one failure that is repaired, by freeing a ballast
file, so that the hold or the rollback which follows can still be journalled. What a rollback says
after any other failure goes to a fallback file, which the next process takes into the journal.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from cutover.core.errors import JournalError, RefusedError, printable, traceback_text
from cutover.core.journal.contents import JournalContents
from cutover.core.journal.events import Event, Record, RunOpen, Snapshot
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import Known, Reading, Unknown
from cutover.local.disk import SCRIPT_MODE, Disk
from cutover.local.fallback import Fallback
from cutover.local.found_journal import FoundJournal, find_journal
from cutover.local.journal_end import JournalEnd
from cutover.local.journal_file import (
    encode,
    newest_epoch,
    normal,
    read_journal,
)
from cutover.local.recovery import mend
from cutover.local.run_directory import RunDirectory
from cutover.local.snapshot_file import snapshot_text
from cutover.ports.store import RestoreText, RunJournal

BALLAST_BYTES = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def _to_stderr(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # a closed terminal never ends a run
        sys.stderr.write(printable(line, 100_000) + "\n")
        sys.stderr.flush()


def _nobody() -> str:
    return ""


class FileJournal(RunJournal):
    """One run's `journal.jsonl`. Take the lease first: two writers are told apart only afterwards.

    Attributes:
        locked_by: who else holds the run's lease by now; empty for nobody. From then on no file of the run is touched.
    """

    def __init__(
        self,
        run: RunDirectory,
        contents: JournalContents,
        handle: int | None,
        *,
        epoch: int,
        restore_text: RestoreText,
        durable: bool,
        complain: Callable[[str], None],
        trouble: str = "",
    ) -> None:
        self.run = run
        self.contents = contents
        self.epoch = epoch
        self.locked_by: Callable[[], str] = _nobody
        self.fallback_records: list[Record] = []
        self._disk: Disk = run.disk
        self._handle = handle
        self._durable = durable
        self._restore_text = restore_text
        self._complain = complain
        self._trouble = trouble
        self._head = contents.head_hash
        self._seq = contents.next_seq
        self._size = contents.good_bytes
        self._opened = next(
            (r.event for r in contents.records if isinstance(r.event, RunOpen)), None
        )
        self._ballast = run.path / "ballast"
        self._fallback: Fallback | None = None
        self._last_at = (
            contents.records[-1].at if contents.records else Moment(wall_from_ms(0), 0, "")
        )

    @classmethod
    def open_new(
        cls,
        run: RunDirectory,
        *,
        restore_text: RestoreText,
        durable: bool = True,
        epoch: int = 1,
        complain: Callable[[str], None] = _to_stderr,
    ) -> FileJournal:
        """The journal of a run that begins, with no record yet. Rehearsals are not `durable`.

        Raises:
            RefusedError: when the disk does not take it; nothing has happened on AWS.
        """
        disk = run.disk
        try:
            handle = disk.create(run.journal)
            journal = cls(run, read_journal(b""), handle, epoch=epoch, restore_text=restore_text,
                          durable=durable, complain=complain)  # fmt: skip
            if durable:
                journal._store_ballast()
                disk.sync(handle)
                disk.sync_directory(run.path)
        except OSError as error:
            raise RefusedError(
                f"the journal {run.journal} cannot be written: {error.strerror or error}",
                hint="free at least 2 MiB there, or set CUTOVER_STATE_DIR to another local disk",
            ) from None
        return journal

    @classmethod
    def open_existing(
        cls,
        run: RunDirectory,
        *,
        restore_text: RestoreText,
        durable: bool = True,
        for_rollback: bool = False,
        known: FoundJournal | None = None,
        complain: Callable[[str], None] = _to_stderr,
    ) -> FileJournal:
        """The journal of a run that goes on, with the next epoch; `contents` is what it said so far.

        `known` is what this process read before it had the lease: unless somebody wrote meanwhile, it is not read again.
        A torn tail is moved aside to `journal.torn-<n>`, and fallback records of a rollback are taken
        in. With `for_rollback` a journal that is damaged, newer or not writable is opened all the
        same: every append answers Unknown, and `forced` writes to the fallback file.

        Raises:
            JournalError: when no raise may follow from this journal, unless `for_rollback`.
        """
        disk = run.disk
        with contextlib.suppress(OSError):
            disk.sweep(run.path)
        handle: int | None = None
        try:
            if known is None or not known.is_still(disk, run.journal):
                known = find_journal(disk, run.journal)
            trouble = _damage_text(known.contents)
        except OSError as error:
            known = FoundJournal(b"", read_journal(b""))
            trouble = f"it cannot be read: {error.strerror or error}"
        contents = known.contents
        if not trouble:
            try:
                handle = disk.open_append(run.journal)
                contents = mend(run, handle, known, durable=durable, complain=complain)
            except OSError as error:
                trouble = f"it cannot be written: {error.strerror or error}"
        if trouble and handle is not None:
            disk.close(handle)
            handle = None
        if trouble and not for_rollback:
            raise JournalError(
                f"{run.journal}: {trouble}",
                hint=f"no weight is raised from it; `cutover rollback {run.id}` works, and so does sh {run.restore}",
            )
        if trouble:
            contents = replace(known.with_fallbacks([text for _, text in run.fallbacks()]), damage=None, torn=b"")  # fmt: skip
        journal = cls(run, contents, handle, epoch=contents.epoch + 1, restore_text=restore_text,
                      durable=durable, complain=complain, trouble=trouble)  # fmt: skip
        if durable and not trouble:
            try:
                journal._store_ballast()
            except OSError:
                journal._free_ballast()  # a nearly full disk must not keep a run from going back
        return journal

    @property
    def trouble(self) -> str:
        """Why the journal takes no record any more; empty while it does."""
        return self._trouble

    @property
    def head_hash(self) -> str:
        """Hash of the newest record: told to people, it makes a cut at the tail visible."""
        return self._head

    @property
    def last_seq(self) -> int:
        """Number of the newest record; 0 when there is none."""
        return self._seq - 1

    def other_writer(self) -> str:
        """Who has gone on with the run, as its journal proves by an intact record of a higher epoch; empty for nobody.

        From any thread: a record of ours that is just being written has our epoch.
        """
        if self._handle is None:
            return ""  # it never was this process's to write
        try:
            size = self._disk.size_if_same(self._handle, self.run.journal)
            if size == self._size:
                return ""
            data = self._disk.read(self.run.journal)
        except OSError:
            return ""
        epoch = newest_epoch(data if size is None else data[self._size :])
        return f"epoch {epoch} of run {self.run.id}'s journal" if epoch > self.epoch else ""

    @property
    def is_others(self) -> bool:
        """Another process has the run: its files are not ours to touch any more."""
        return bool(self.locked_by() or self.other_writer())

    def append(self, event: Event, at: Moment) -> Reading[Record]:
        appended = self.append_all((event,), at)
        return Known(appended.value[0], at) if isinstance(appended, Known) else appended

    def append_all(self, events: Sequence[Event], at: Moment) -> Reading[tuple[Record, ...]]:
        if self._trouble or self._handle is None:
            return Unknown(self._trouble, "journal")
        records, lines = [], []
        head, seq = self._head, self._seq
        for event in events:
            record = normal(Record(seq, self.epoch, at, event))
            line, head = encode(record, self.run.id, head)
            records.append(record)
            lines.append(line)
            seq += 1
        text = b"".join(lines)
        failure = self._write(self._handle, text)
        if failure is not None:
            why = f"{self.run.journal}: {failure.strerror or failure}"
            return Unknown(why, "disk_full" if failure.errno in _FULL else "journal")
        for record in records:
            self._accept(record, head)
        self._size += len(text)
        return Known(tuple(records), at)

    def bug(self, error: Exception) -> None:
        place = self.run.path / f"crash-{os.getpid()}.txt"
        text = traceback_text(error)
        with contextlib.suppress(OSError):
            self._disk.keep(place, text.encode("utf-8", "backslashreplace"), durable=False)

    def forced(self, event: Event, at: Moment) -> Record:
        """The record, in the journal if it takes it now (room was made), else in the fallback.

        Once a record is in the fallback the journal takes no more in this process, or the two would
        tell different stories. What no file takes goes to memory and stderr.
        """
        tried = self.append(event, at)
        if isinstance(tried, Known):
            return tried.value
        self._trouble = self._trouble or f"{self.run.journal}: no space"
        record, line, hashed = self._line(event, at)
        self._accept(record, hashed)
        self.fallback_records.append(record)
        if self.is_others:
            return record  # a fallback file would be taken into the journal of whoever has the run
        if self._fallback is None:
            self._fallback = Fallback(self.run, self._complain, self._trouble)
        if not self._fallback.write(line):
            self._complain(f"cutover: on no disk: {line.decode('ascii').rstrip()}")
        return record

    def keep_snapshot(self, snapshot: Snapshot, commands: Sequence[str]) -> Reading[None]:
        if self.is_others:
            return Unknown(f"{self.run.path} belongs to another process", "snapshot")
        text = snapshot_text(self.run.id, self._opened, snapshot)
        try:
            self._disk.keep(self.run.snapshot, text.encode("ascii"), durable=self._durable)
            script = self._restore_text(commands).encode()
            self._disk.keep(self.run.restore, script, durable=self._durable, mode=SCRIPT_MODE)
        except OSError as error:
            if error.errno in _FULL:
                self._free_ballast()
            return Unknown(f"{self.run.path}: {error.strerror or error}", "snapshot")
        return Known(None, self._last_at)

    def end(self) -> JournalEnd | None:
        """The file's end, when all that this process said is in it and nothing else; None when it is not."""
        if self._trouble or self._handle is None:
            return None
        try:
            size = self._disk.size_if_same(self._handle, self.run.journal)
            found = self._disk.look(self.run.journal)
        except OSError:
            return None
        ours = size == self._size and found is not None and found.size == size
        return JournalEnd(self._head, self._size, found.changed) if found and ours else None

    def close(self) -> None:
        """Give descriptors and ballast back; the journal cannot be written any more."""
        others = self.is_others
        if self._fallback is not None:
            self._fallback.close()
        if self._handle is not None:
            with contextlib.suppress(OSError):  # every record was synced when it was written
                self._disk.close(self._handle)
        self._handle = None
        self._trouble = self._trouble or "it is closed"
        if not others:
            self._free_ballast()

    def _line(self, event: Event, at: Moment) -> tuple[Record, bytes, str]:
        record = normal(Record(self._seq, self.epoch, at, event))
        line, hashed = encode(record, self.run.id, self._head)
        return record, line, hashed

    def _accept(self, record: Record, hashed: str) -> None:
        self._head, self._seq, self._last_at = hashed, self._seq + 1, record.at
        if isinstance(record.event, RunOpen):
            self._opened = record.event

    def _write(self, handle: int, line: bytes) -> OSError | None:
        try:
            self._refuse_strangers(handle)
            self._disk.write_all(handle, line)
        except OSError as error:
            self._make_room(handle, error)
            return error
        try:
            if self._durable:
                self._disk.sync(handle)
        except OSError as error:
            self._give_up(error)
            return error
        return None

    def _refuse_strangers(self, handle: int) -> None:
        size = self._disk.size_if_same(handle, self.run.journal)
        if owner := self.locked_by():
            raise OSError(errno.ESTALE, owner)
        if size is None:
            raise OSError(errno.ESTALE, "it was deleted or replaced while the run was using it")
        if size != self._size:
            raise OSError(errno.ESTALE, "another process wrote to it")

    def _make_room(self, handle: int, error: OSError) -> None:
        """After a full disk: cut off the half line and free the ballast; the next append may work."""
        if error.errno not in _FULL:
            self._give_up(error)
            return
        try:
            self._disk.truncate(handle, self._size)
        except OSError as second:
            self._give_up(second)
        self._free_ballast()

    def _give_up(self, error: OSError) -> None:
        self._trouble = f"{self.run.journal}: {error.strerror or error}"

    def _store_ballast(self) -> None:
        if self._disk.look(self._ballast) is None:
            # not zeros: a file system that compresses would store them for nothing, and free nothing
            noise = hashlib.shake_256(b"ballast").digest(BALLAST_BYTES)
            self._disk.keep(self._ballast, noise, durable=True)

    def _free_ballast(self) -> None:
        try:
            self._disk.remove(self._ballast)
        except OSError:
            return  # there was none, or the disk takes nothing at all


def _damage_text(contents: JournalContents) -> str:
    damage = contents.damage
    return f"line {damage.line} is {damage.kind}: {damage.why}" if damage else ""
