"""Before a journal is continued: its torn tail goes aside, what a rollback left elsewhere comes in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cutover.core.journal.contents import JournalContents
from cutover.local.found_journal import FoundJournal
from cutover.local.journal_file import join_all, read_journal
from cutover.local.run_directory import RunDirectory


def mend(
    run: RunDirectory,
    handle: int,
    found: FoundJournal,
    *,
    durable: bool,
    complain: Callable[[str], None],
) -> JournalContents:
    """Move a torn tail aside, take a fallback in, and say what the journal holds then.

    `handle` appends to the journal that was `found`; every record in it is intact.

    Raises:
        OSError: when the disk does not take it; doing it again later is safe.
    """
    disk, data, fallbacks = run.disk, found.data, run.fallbacks()
    kept, more = found.contents.good_bytes, b""
    if fallbacks:
        kept, more = join_all(data, [text for _, text in fallbacks])
    if kept < len(data):
        disk.keep(_free_name(run, "journal.torn-"), data[kept:], durable=durable)
        disk.truncate(handle, kept)
    if more:
        disk.write_all(handle, more)
    if durable and (more or kept < len(data)):
        disk.sync(handle)
    for path, text in fallbacks:
        taken = _last_line(text) in data[:kept] + more
        aside = path
        if path == run.fallback:
            aside = _free_name(run, "journal.fallback-")
            disk.replace(path, aside)
        elif taken:
            with contextlib.suppress(OSError):  # it would only be found, and skipped, again
                disk.keep(_free_name(run, "journal.fallback-"), text, durable=durable)
                disk.remove(path)
        if not taken:
            complain(f"cutover: {aside} does not continue the journal; it was left aside")
    if fallbacks:
        return read_journal(data[:kept] + more)
    return replace(found.contents, torn=b"")


def _last_line(text: bytes) -> bytes:
    """The last whole line with its newline; what is not one is in no journal."""
    end = text.rfind(b"\n") + 1
    return text[text.rfind(b"\n", 0, max(end - 1, 0)) + 1 : end] or b"\n\n"


def _free_name(run: RunDirectory, start: str) -> Path:
    taken = set(run.disk.list(run.path))
    return run.path / next(
        name for n in range(1, len(taken) + 2) if (name := f"{start}{n}") not in taken
    )
