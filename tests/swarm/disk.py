"""A disk in memory that a power loss takes back to what was synced, and that can refuse.

What a file system promises and no more (fsync(2), rename(2)): data is durable once its file was synced, a name once
its directory was. Of everything else a power loss keeps any prefix, per file and per directory. A killed process
loses nothing: the kernel has its writes.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cutover.local.disk import FILE_MODE, Disk, FoundFile

ROOM = 1 << 40


@dataclass(eq=False)
class _File:
    """One inode."""

    mode: int
    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


_Naming = tuple[tuple[Path, "_File | None"], ...]
"""Names given or taken away in one step, which only their directory's sync makes durable."""


class LosableDisk(Disk):
    """Files by path; everything outside `root` and the places for temporary files does not exist.

    Attributes:
        before, after: told of each operation that changes something, by name; whoever raises there kills the process.
        refused: told of each operation that was refused, and of its file where that is open.
        broken: errno by operation while the disk refuses; `*` for every one that changes something.
        room: bytes that are left.
    """

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.before: Callable[[str], None] = lambda _operation: None
        self.after: Callable[[str], None] = lambda _operation: None
        self.refused: Callable[[str, Path | None], None] = lambda _operation, _path: None
        self.broken: dict[str, int] = {}
        self.room = ROOM
        self._chance = chance
        self._files: dict[Path, _File] = {}
        self._kept: dict[Path, _File] = {}
        self._pending: dict[Path, list[_Naming]] = {}
        self._directories = {Path("/tmp"), Path("/var/tmp"), *root.parents, root}
        self._handles: dict[int, tuple[_File, Path]] = {}
        self._next = 1_000_000  # no descriptor of this process

    def is_durable(self, path: Path, text: bytes) -> bool:
        """Whether a power loss now would leave this text in the file of that name."""
        file = self._kept.get(path)
        return file is not None and text in file.synced

    def holds(self, path: Path, text: bytes) -> bool:
        """Whether this text is in the file of that name now, durable or not."""
        file = self._files.get(path)
        return file is not None and text in file.data

    def lose_power(self) -> None:
        """Of what was not synced some prefix stays; every descriptor is gone."""
        for directory in sorted(self._pending):
            pending = self._pending[directory]
            for naming in pending[: self._chance.randint(0, len(pending))]:
                self._name(self._kept, naming)
        self._pending.clear()
        for file in {
            id(one): one for one in (*self._files.values(), *self._kept.values())
        }.values():
            file.data = bytearray(self._left(file))
            file.synced = bytes(file.data)
        self._files = dict(self._kept)
        self._handles.clear()

    def mend(self, operation: str = "") -> None:
        """It takes everything again, or an operation of that name."""
        self.room = ROOM
        if operation:
            self.broken.pop(operation, None)
        else:
            self.broken.clear()

    def _left(self, file: _File) -> bytes:
        data, synced = bytes(file.data), file.synced
        if not data.startswith(synced):  # cut or written anew: either is possible
            return self._chance.choice((data, synced))
        more = data[len(synced) :]
        return (
            synced
            + more[: self._chance.choice((0, 0, len(more), self._chance.randint(0, len(more))))]
        )

    @staticmethod
    def _name(names: dict[Path, _File], naming: _Naming) -> None:
        for path, file in naming:
            if file is None:
                names.pop(path, None)
            else:
                names[path] = file

    # The door

    def create(self, path: Path, mode: int = FILE_MODE) -> int:
        self._begin("create")
        self._in_a_directory(path)
        if path in self._files or path in self._directories:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        file = _File(mode)
        self._renamed((path, file))
        self.after("create")
        return self._opened(file, path)

    def open_append(self, path: Path) -> int:
        self._begin("open")
        return self._opened(self._at(path), path)

    def open_lock(self, path: Path) -> int:
        raise NotImplementedError

    def make_fifo(self, path: Path) -> None:
        raise NotImplementedError

    def open_fifo(self, path: Path, *, write: bool) -> int:
        raise NotImplementedError

    def write(self, handle: int, data: bytes) -> int:
        file, path = self._held(handle)
        self._begin("write", path)
        taken = data[: max(0, self.room)]
        if data and not taken:
            self._refuse("write", errno.ENOSPC, path)
        self.room -= len(taken)
        file.data += taken
        if len(taken) < len(data):
            self.refused("write", path)
        self.after("write")
        return len(taken)

    def sync(self, handle: int) -> None:
        file, path = self._held(handle)
        self._begin("sync", path)
        file.synced = bytes(file.data)
        self.after("sync")

    def truncate(self, handle: int, size: int) -> None:
        self._begin("truncate")
        file, _ = self._held(handle)
        self.room += max(0, len(file.data) - size)
        del file.data[size:]
        self.after("truncate")

    def close(self, handle: int) -> None:
        self._handles.pop(handle, None)

    def size_if_same(self, handle: int, path: Path) -> int | None:
        self._begin("look")
        file, _ = self._held(handle)
        return len(file.data) if self._files.get(path) is file else None

    def read(self, path: Path, limit: int | None = None, *, own: bool = False) -> bytes:
        self._begin("read")
        return bytes(self._at(path).data[:limit])

    def list(self, path: Path) -> tuple[str, ...]:
        self._begin("read")
        if path not in self._directories:
            raise _missing(path)
        inside = (one for one in (*self._files, *self._directories) if one.parent == path != one)
        return tuple(sorted(one.name for one in inside))

    def make_directory(self, path: Path) -> None:
        self._begin("create")
        self._in_a_directory(path)
        if path in self._files or path in self._directories:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        self._directories.add(path)

    def remove_directory(self, path: Path) -> None:
        self._begin("remove")
        self._directories.discard(path)

    def replace(self, source: Path, to: Path) -> None:
        self._begin("replace")
        file = self._at(source)
        self._freed(to)
        self._renamed((source, None), (to, file))
        self.after("replace")

    def remove(self, path: Path) -> None:
        self._begin("remove")
        self._at(path)
        self._freed(path)
        self._renamed((path, None))
        self.after("remove")

    def sync_directory(self, path: Path) -> None:
        self._begin("sync_directory")
        for naming in self._pending.pop(path, ()):
            self._name(self._kept, naming)
        self.after("sync_directory")

    def look(self, path: Path) -> FoundFile | None:
        self._begin("look")
        if path in self._directories:
            return FoundFile("directory", os.geteuid(), 0o700, 0)
        file = self._files.get(path)
        return (
            FoundFile("file", os.geteuid(), file.mode, len(file.data))
            if file is not None
            else None
        )

    def _begin(self, operation: str, path: Path | None = None) -> None:
        if operation not in ("look", "read"):
            self.before(operation)
        number = self.broken.get(
            operation, 0 if operation in ("look", "read") else self.broken.get("*", 0)
        )
        if number:
            self._refuse(operation, number, path)

    def _refuse(self, operation: str, number: int, path: Path | None) -> None:
        self.refused(operation, path)
        raise OSError(number, os.strerror(number))

    def _opened(self, file: _File, path: Path) -> int:
        self._next += 1
        self._handles[self._next] = file, path
        return self._next

    def _held(self, handle: int) -> tuple[_File, Path]:
        held = self._handles.get(handle)
        if held is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return held

    def _at(self, path: Path) -> _File:
        file = self._files.get(path)
        if file is None:
            raise _missing(path)
        return file

    def _in_a_directory(self, path: Path) -> None:
        if path.parent not in self._directories:
            raise _missing(path.parent)

    def _freed(self, path: Path) -> None:
        file = self._files.get(path)
        self.room += len(file.data) if file is not None else 0

    def _renamed(self, *naming: tuple[Path, _File | None]) -> None:
        self._name(self._files, naming)
        self._pending.setdefault(naming[0][0].parent, []).append(naming)


def _missing(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
