"""Before a journal is continued: its torn tail goes aside, what a rollback left elsewhere comes in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cutover.local.journal_file import JournalContents, join, read_journal
from cutover.local.run_directory import RunDirectory


def mend(
    run: RunDirectory, handle: int, data: bytes, *, durable: bool, complain: Callable[[str], None]
) -> JournalContents:
    """Move a torn tail aside, take a fallback in, and say what the journal holds then.

    `handle` appends to the journal and `data` is all that it holds; every record in it is intact.

    Raises:
        OSError: when the disk does not take it; doing it again later is safe.
    """
    disk, fallback = run.disk, run.fallback_bytes()
    kept, more = join(data, fallback)
    if kept < len(data):
        disk.keep(_free_name(run, "journal.torn-"), data[kept:], durable=durable)
        disk.truncate(handle, kept)
    if more:
        disk.write_all(handle, more)
    if durable and (more or kept < len(data)):
        disk.sync(handle)
    if fallback:
        aside = _free_name(run, "journal.fallback-")
        disk.replace(run.fallback, aside)
        if not more and not data.endswith(fallback):
            complain(f"cutover: {aside} does not continue the journal; it was set aside")
    return read_journal(data[:kept] + more)


def _free_name(run: RunDirectory, start: str) -> Path:
    taken = set(run.disk.list(run.path))
    return run.path / next(
        name for n in range(1, len(taken) + 2) if (name := f"{start}{n}") not in taken
    )
