"""What may be believed of a journal, wherever it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cutover.core.journal.events import Record


class DamageKind(StrEnum):
    """Why a line is not believed."""

    CORRUPT = "corrupt"
    NEWER = "newer"  # a version, type or field that this program does not know


@dataclass(frozen=True)
class Damage:
    """The first line that is not believed; nothing from there on was read."""

    line: int
    kind: DamageKind
    why: str


@dataclass(frozen=True)
class JournalContents:
    """What may be believed of a journal.

    Attributes:
        records: the intact ones, oldest first, up to the damage if there is any.
        run: the run's id, empty when there is no record.
        head_hash: hash of the last intact record.
        good_bytes: how many bytes the intact records take.
        torn: bytes of a last line that was never finished; such a record never happened.
        damage: anything else that is wrong: no raise may follow, a rollback may.
    """

    records: tuple[Record, ...]
    run: str
    head_hash: str
    good_bytes: int
    torn: bytes = b""
    damage: Damage | None = None

    @property
    def epoch(self) -> int:
        """The epoch of the last intact record; 0 when there is none."""
        return self.records[-1].epoch if self.records else 0

    @property
    def next_seq(self) -> int:
        """The number of the record to come."""
        return len(self.records) + 1
