"""A disk in memory that forgets what was not synced, fills up, breaks and becomes read-only."""

from __future__ import annotations

import errno
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

from cutover.local.disk import DIRECTORY_MODE, FILE_MODE, Disk, FoundFile


@dataclass
class Inode:
    mode: int
    data: bytes = b""
    synced: bytes = b""
    names: dict[str, Inode] | None = None  # of a directory, as processes see it
    kept: dict[str, Inode] = field(
        default_factory=dict
    )  # of a directory, as a power loss leaves it


class SimDisk(Disk):
    """`fail(op, code)` makes an operation fail; `space` is how many bytes still fit; `crash` cuts the power."""

    def __init__(self, space: int | None = None) -> None:
        self.space = space
        self.calls: list[str] = []
        self._root = Inode(DIRECTORY_MODE, names={})
        self._open: dict[int, Inode] = {}
        self._next = 100
        self._faults: dict[str, tuple[int, int | None]] = {}

    def fail(self, operation: str, code: int, times: int | None = None) -> None:
        self._faults[operation] = (code, times)

    def heal(self) -> None:
        self._faults.clear()

    def crash(self, seed: int = 0) -> None:
        """Power loss: only synced data and names stay, plus any beginning of what was not synced."""
        luck = random.Random(seed)
        self._open.clear()

        def after(inode: Inode) -> None:
            if inode.names is None:
                if inode.data.startswith(inode.synced):
                    end = luck.randint(len(inode.synced), len(inode.data))
                    inode.data = inode.data[:end]
                else:
                    inode.data = inode.synced
                inode.synced = inode.data
                return
            new = [name for name in inode.names if name not in inode.kept]
            names = dict(inode.kept)
            names.update({name: inode.names[name] for name in new if luck.random() < 0.5})
            inode.names = names
            for child in names.values():
                after(child)

        after(self._root)

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        for key in (operation, "*"):
            if key in self._faults:
                code, times = self._faults[key]
                if times == 0:
                    continue
                self._faults[key] = (code, None if times is None else times - 1)
                raise OSError(code, os.strerror(code))

    def _find(self, path: Path) -> Inode:
        inode = self._root
        for part in path.parts[1:]:
            if inode.names is None:
                raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(path))
            if part not in inode.names:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
            inode = inode.names[part]
        return inode

    def _names(self, path: Path) -> dict[str, Inode]:
        names = self._find(path).names
        if names is None:
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(path))
        return names

    def _handle(self, inode: Inode) -> int:
        self._next += 1
        self._open[self._next] = inode
        return self._next

    def create(self, path: Path, mode: int = FILE_MODE) -> int:
        self._called("create")
        names = self._names(path.parent)
        if path.name in names:
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        names[path.name] = Inode(mode)
        return self._handle(names[path.name])

    def open_append(self, path: Path) -> int:
        self._called("open_append")
        return self._handle(self._find(path))

    def open_lock(self, path: Path) -> int:
        raise NotImplementedError("locks are the kernel's: tests of leases use real files")

    def make_fifo(self, path: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))  # like a file system without fifos

    def open_fifo(self, path: Path, *, write: bool) -> int:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    def write(self, handle: int, data: bytes) -> int:
        self._called("write")
        fits = len(data) if self.space is None else min(self.space, len(data))
        if data and not fits:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._open[handle].data += data[:fits]
        self._take(fits)
        return fits

    def _take(self, size: int) -> None:
        if self.space is not None:
            self.space -= size

    def sync(self, handle: int) -> None:
        self._called("sync")
        self._open[handle].synced = self._open[handle].data

    def truncate(self, handle: int, size: int) -> None:
        self._called("truncate")
        inode = self._open[handle]
        self._take(size - len(inode.data))
        inode.data = inode.data[:size]

    def close(self, handle: int) -> None:
        del self._open[handle]

    def size_if_same(self, handle: int, path: Path) -> int | None:
        self._called("size_if_same")
        try:
            return len(self._open[handle].data) if self._find(path) is self._open[handle] else None
        except OSError:
            return None

    def read(self, path: Path, limit: int | None = None, *, own: bool = False) -> bytes:
        self._called("read")
        return self._find(path).data[:limit]

    def list(self, path: Path) -> tuple[str, ...]:
        self._called("list")
        return tuple(sorted(self._names(path)))

    def make_directory(self, path: Path) -> None:
        self._called("make_directory")
        names = self._names(path.parent)
        if path.name in names:
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        names[path.name] = Inode(DIRECTORY_MODE, names={})

    def remove_directory(self, path: Path) -> None:
        self._called("remove_directory")
        if self._names(path):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        del self._names(path.parent)[path.name]

    def replace(self, source: Path, to: Path) -> None:
        self._called("replace")
        inode = self._names(source.parent).pop(source.name)
        old = self._names(to.parent).get(to.name)
        self._take(-len(old.data) if old else 0)
        self._names(to.parent)[to.name] = inode

    def remove(self, path: Path) -> None:
        self._called("remove")
        if path.name not in self._names(path.parent):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        self._take(-len(self._names(path.parent).pop(path.name).data))

    def sync_directory(self, path: Path) -> None:
        self._called("sync_directory")
        inode = self._find(path)
        inode.kept = dict(inode.names or {})

    def look(self, path: Path) -> FoundFile | None:
        self._called("look")
        try:
            inode = self._find(path)
        except OSError:
            return None
        kind = "file" if inode.names is None else "directory"
        return FoundFile(kind, os.geteuid(), inode.mode, len(inode.data))
