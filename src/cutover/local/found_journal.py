"""A journal that was read once: what was in it, and whether the file still is what it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cutover.core.journal.contents import JournalContents
from cutover.local.disk import Disk, FoundFile
from cutover.local.journal_end import LAST_LINE
from cutover.local.journal_file import join_all, read_journal


@dataclass(frozen=True)
class FoundJournal:
    """A journal as it was read once, without any fallback.

    Attributes:
        data: all of the file.
        contents: what may be believed of it.
        file: what stood at its path before it was read; None where that could not be told.
    """

    data: bytes
    contents: JournalContents
    file: FoundFile | None = None

    def is_still(self, disk: Disk, journal: Path) -> bool:
        """Nobody has written to the file since, as far as its size, its time and its end tell.

        Raises:
            OSError: when it cannot be looked at.
        """
        if self.file is None or not self.file.changed or disk.look(journal) != self.file:
            return False
        end = self.data[-LAST_LINE:]
        return disk.read_from(journal, -LAST_LINE) == end

    def with_fallbacks(self, fallbacks: Sequence[bytes]) -> JournalContents:
        """What may be believed of it together with the records of a rollback that had to go elsewhere."""
        if not fallbacks:
            return self.contents
        kept, more = join_all(self.data, fallbacks)
        return read_journal(self.data[:kept] + more if more else self.data)


def find_journal(disk: Disk, journal: Path) -> FoundJournal:
    """The journal, read and verified.

    Raises:
        OSError: when it cannot be read.
    """
    file = disk.look(journal)
    data = disk.read(journal)
    return FoundJournal(data, read_journal(data), file)
