"""One run's files on this machine.

plan.yaml                 the plan as it was when the run began
journal.jsonl             what the run meant and saw, one durable line each
journal.fallback.jsonl    what a rollback said while the journal took nothing
snapshot.json restore.sh  the way back, with and without this tool
view.json                 the run's status and its process's newest look, for display only
commands/                    what operators' commands say to the runner
commands.pipe                the same without a byte of disk, while a process listens
HOLD, ROLLBACK            kill switches of this run
rehearsal.json            of a rehearsal: its scenario, and whether its process lives
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.core.errors import UsageError
from cutover.core.moment import Moment
from cutover.core.values import digest
from cutover.local.disk import Disk
from cutover.local.temporary_directories import left_elsewhere

if TYPE_CHECKING:
    from cutover.core.journal.contents import JournalContents
    from cutover.local.found_journal import FoundJournal

TERMINAL = frozenset({"FINISHED", "ROLLED_BACK", "REFUSED", "ABANDONED"})
"""Phases after which nothing can happen in a run, and its routes are free."""

_FIRST_RECORD = 65_536
"""No first record is longer."""

_TAIL = 65_536
"""So much of a journal's end is read first."""

_RUN_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")


def new_run_id(plan_name: str, now: Moment, *, of: str = "") -> str:
    """`<plan-name>[-<of>]-YYYYMMDD-HHMMSS-<4 hex>`, in UTC; what an id cannot hold becomes a dash.

    The four digits tell apart runs that begin in one second; they need not be secret. `of` says more,
    a rehearsal's scenario: a long plan name makes room for it.
    """
    more = _dashed(of)[:44].strip("-")
    name = _dashed(plan_name)[: 60 - len(more)].strip("-") or "run"
    name = f"{name}-{more}" if more else name
    suffix = digest(f"{now.boot_id} {now.boot_ms} {os.getpid()}")[:4]
    return f"{name}-{now.wall.astimezone(UTC):%Y%m%d-%H%M%S}-{suffix}"


def _dashed(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())


def is_run_id(text: str) -> bool:
    """Whether `text` can name a run."""
    return _RUN_ID.fullmatch(text) is not None


def checked_run_id(text: str) -> str:
    """`text`, when it can be a run id: it becomes a directory's name, so nothing else may pass.

    Raises:
        UsageError: for anything but a-z, 0-9 and dashes inside, at most 100 characters.
    """
    if not is_run_id(text):
        raise UsageError(
            f"{text[:100]!r} cannot be a run id",
            hint="use a-z, 0-9 and dashes, not at the ends, at most 100 characters",
        )
    return text


@dataclass(frozen=True)
class RunDirectory:
    """One run's files."""

    path: Path
    disk: Disk
    rehearsal: bool = False

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.path / "journal.jsonl"

    @property
    def fallback(self) -> Path:
        """Records of a rollback that the journal did not take."""
        return self.path / "journal.fallback.jsonl"

    @property
    def snapshot(self) -> Path:
        """The configs found at the start."""
        return self.path / "snapshot.json"

    @property
    def restore(self) -> Path:
        """The shell script that puts the snapshot back without this tool."""
        return self.path / "restore.sh"

    @property
    def view(self) -> Path:
        """The run's status and its process's newest look, for display only."""
        return self.path / "view.json"

    @property
    def plan(self) -> Path:
        """The plan as it was when the run began."""
        return self.path / "plan.yaml"

    @property
    def commands(self) -> Path:
        """Where operators' commands leave commands for the runner."""
        return self.path / "commands"

    @property
    def pipe(self) -> Path:
        """The named pipe on which the runner hears commands too."""
        return self.path / "commands.pipe"

    def journal_bytes(self) -> bytes:
        """The journal, with the records of a rollback that had to go to the fallback file.

        Raises:
            UsageError: when it cannot be read.
        """
        try:
            data = self.disk.read(self.journal)
        except OSError as error:
            raise self._unreadable(error) from None
        rest = self.fallbacks()
        if not rest:
            return data
        from cutover.local.journal_file import join_all

        kept, more = join_all(data, [text for _, text in rest])
        return data[:kept] + more if more else data

    def fallbacks(self) -> tuple[tuple[Path, bytes], ...]:
        """Every fallback file with its bytes, the one in this directory first; what cannot be read is left out."""
        found: list[tuple[Path, bytes]] = []
        with contextlib.suppress(OSError):
            found.append((self.fallback, self.disk.read(self.fallback, own=True)))
        if not self.rehearsal:
            found += left_elsewhere(self.disk, self.id)
        return tuple((path, text) for path, text in found if text)

    def found_journal(self) -> FoundJournal:
        """The journal, read and verified, without any fallback.

        Raises:
            UsageError: when it cannot be read.
        """
        from cutover.local.found_journal import find_journal

        try:
            return find_journal(self.disk, self.journal)
        except OSError as error:
            raise self._unreadable(error) from None

    def contents(self) -> JournalContents:
        """All that may be believed of the run's journal.

        Raises:
            UsageError: when it cannot be read.
        """
        return self.contents_with(self.found_journal())

    def contents_with(self, found: FoundJournal) -> JournalContents:
        """The same of a journal that was read already."""
        return found.with_fallbacks([text for _, text in self.fallbacks()])

    def _unreadable(self, error: OSError) -> UsageError:
        return UsageError(
            f"{self.journal}: {error.strerror or error}", hint="is the run id right?"
        )

    def phase(self) -> str:
        """The last phase that the journal names, found from its end; empty when it names none.

        For lists and claims only: nothing is verified. An unreadable journal has no phase, which
        counts as live.
        """
        try:
            if self.fallbacks():
                return last_phase(self.journal_bytes())
            return self._phase_at_the_end()
        except (OSError, UsageError):
            return ""

    def _phase_at_the_end(self) -> str:
        """The same from no more of the journal than is needed: a phase seldom is far from its end."""
        size = _TAIL
        while True:
            tail = self.disk.read_from(self.journal, -size)
            whole = len(tail) < size
            phase = last_phase(tail if whole else tail[tail.find(b"\n") + 1 :])
            if phase or whole:
                return phase
            size *= 8

    def is_over(self) -> bool:
        """Nothing can happen in this run any more, unless its process is just beginning it."""
        return self.phase() in TERMINAL or self.never_started()

    def never_started(self) -> bool:
        """It has neither a first record nor a snapshot: it is beginning, or was ended before it did anything."""
        try:
            begun = b"\n" in self.disk.read(self.journal, _FIRST_RECORD)
        except FileNotFoundError:
            begun = False
        except OSError:
            return False  # somebody may have written it
        return not begun and self.disk.look(self.snapshot) is None

    def wrote_nothing(self) -> bool:
        """The run never came as far as an intent or a snapshot, so AWS was never changed by it.

        Only meaningful while no process runs it. A journal that cannot be read may have written.
        """
        from cutover.core.journal.events import Intent, Snapshot

        try:
            contents = self.contents()
        except UsageError:
            return self.disk.look(self.journal) is None and self.disk.look(self.snapshot) is None
        if contents.damage is not None or self.disk.look(self.snapshot) is not None:
            return False
        return not any(isinstance(r.event, Intent | Snapshot) for r in contents.records)

    def pid(self) -> int | None:
        """The process that last wrote view.json, or None; it need not live any more."""
        try:
            pid = json.loads(self.disk.read(self.view))["pid"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return pid if isinstance(pid, int) else None


def last_phase(journal: bytes) -> str:
    """The newest `phase` record's phase; empty when there is none."""
    needle, end = b'"type":"phase"', len(journal)
    while (at := journal.rfind(needle, 0, end)) >= 0:
        start = journal.rfind(b"\n", 0, at) + 1
        stop = journal.find(b"\n", at)
        end = start
        if stop < 0:
            continue  # torn: it never happened
        try:
            data = json.loads(journal[start:stop])
            if data["type"] == "phase":
                return str(data["after"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
    return ""
