"""Which journal stands at a path, told from its end: nothing of it is read but the last line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cutover.core.journal import VERSION
from cutover.core.values import digest
from cutover.local.disk import Disk

LAST_LINE = 65_536
"""A last line that is longer is read with the whole journal."""


@dataclass(frozen=True)
class JournalEnd:
    """Which journal this is, as far as that can be told without reading it.

    Attributes:
        hash: of its last record.
        size: bytes.
        changed: when the file was changed last (ns); 0 where that is not known.
    """

    hash: str
    size: int
    changed: int


def end_of(disk: Disk, journal: Path, run: str) -> JournalEnd | None:
    """The end of the run's journal, when its last line is an intact record of this format; None for any other end.

    Raises:
        OSError: when it cannot be read.
    """
    found = disk.look(journal)
    if found is None or found.kind != "file":
        return None
    line = disk.read_from(journal, -LAST_LINE)
    line = line[line.rfind(b"\n", 0, -1) + 1 :]
    if len(line) == LAST_LINE or not line.endswith(b"\n"):
        return None
    try:
        text = line[:-1].decode("ascii")
        data = json.loads(text)
        hashed, ours = data["hash"], (data["v"], data["run"]) == (VERSION, run)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = ours and digest(text.replace(f'"hash":"{hashed}",', "", 1)) == hashed
    return JournalEnd(hashed, found.size, found.changed) if sound else None
