"""Where a rollback leaves its records when the journal takes none: another file, else stderr.

Rolling back is worth more than recording it (docs/promises.md P13), so nothing here ever raises.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from cutover.local.run_directory import RunDirectory
from cutover.local.temporary_directories import temporary_places


class Fallback:
    """`journal.fallback.jsonl` beside the journal, else a file in a directory for temporary files."""

    def __init__(self, run: RunDirectory, complain: Callable[[str], None], why: str) -> None:
        self._run = run
        self._complain = complain
        self._why = why
        self._places = [run.fallback, *temporary_places(run.id)]
        self._handle: int | None = None
        self._lines: list[bytes] = []

    def write(self, line: bytes) -> bool:
        """Whether some file took the line; the next place gets every line so far."""
        self._lines.append(line)
        while self._places:
            try:
                if self._handle is None:
                    self._handle = self._open(self._places[0])
                    self._put(self._handle, b"".join(self._lines))
                    self._complain(
                        f"cutover: journal: {self._why}; its records go to {self._places[0]}"
                    )
                else:
                    self._put(self._handle, line)
            except OSError:
                self.close()
                self._places.pop(0)
            else:
                return True
        return False

    def close(self) -> None:
        """Give the descriptor back."""
        if self._handle is not None:
            with contextlib.suppress(OSError):  # every line was synced, or its place was given up
                self._run.disk.close(self._handle)
            self._handle = None

    def _open(self, path: Path) -> int:
        if path != self._run.fallback or self._run.disk.look(path) is None:
            handle = self._run.disk.create(path)
            self._run.disk.sync_directory(path.parent)
            return handle
        handle = self._run.disk.open_append(path)
        self._put(handle, b"\n")  # an earlier process may have died inside a line
        return handle

    def _put(self, handle: int, data: bytes) -> None:
        self._run.disk.write_all(handle, data)
        self._run.disk.sync(handle)
