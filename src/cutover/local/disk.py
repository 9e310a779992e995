"""The only door from this package to files, so that tests can lose data, fill the disk and break it.

Files are created 0600 and directories 0700, never through a symbolic link, and no descriptor
survives an exec (docs/promises.md P32). What stands at a path may have been put there by somebody else: an
open never blocks and never takes anything but a regular file (or a fifo, where one is asked for).
Nothing here decides what a failure means: every method raises `OSError` as the kernel gave it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets  # noqa: TID251  names that nobody may guess; nothing is decided by them
import stat
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

FILE_MODE = 0o600
SCRIPT_MODE = 0o700
DIRECTORY_MODE = 0o700

_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""A fifo or a device in the place of a file must not stop the loop."""

_MADE = re.compile(r"\.(?P<of>.+)\.[0-9a-f]{16}\.new")
"""The file that `keep` makes before it has its name."""


def unguessable() -> str:
    """16 hexadecimal digits for a name that nobody can have taken before."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class FoundFile:
    """What stands at a path, a symbolic link not followed.

    Attributes:
        kind: file, directory, link or other.
        owner: numeric user id.
        mode: permission bits.
        size: bytes.
        changed: when it, or a name in it, changed last (ns); 0 where that is not known.
        group: numeric group id; -1 where that is not known.
    """

    kind: str
    owner: int
    mode: int
    size: int
    changed: int = 0
    group: int = -1


class Disk(ABC):
    """Files as `local` needs them; every method may raise `OSError`."""

    @abstractmethod
    def create(self, path: Path, mode: int = FILE_MODE) -> int:
        """A descriptor that appends to a new file; it is an error when the path exists."""

    @abstractmethod
    def open_append(self, path: Path) -> int:
        """A descriptor that appends to an existing file of ours."""

    @abstractmethod
    def open_lock(self, path: Path) -> int:
        """A readable and writable descriptor of a lock file, created when absent."""

    @abstractmethod
    def make_fifo(self, path: Path) -> None:
        """Create a named pipe; it is an error when the path exists."""

    @abstractmethod
    def open_fifo(self, path: Path, *, write: bool) -> int:
        """A non-blocking descriptor of our named pipe, to read from or to write to.

        Who reads also keeps a writing end, so that the pipe never ends. To write is an error (ENXIO) while nobody reads.
        """

    @abstractmethod
    def write(self, handle: int, data: bytes) -> int:
        """One write; the number of bytes taken, which may be fewer than given on a full disk."""

    @abstractmethod
    def sync(self, handle: int) -> None:
        """Return when the file's data is durable. Must never be repeated after it failed."""

    @abstractmethod
    def truncate(self, handle: int, size: int) -> None:
        """Cut the file to `size` bytes."""

    @abstractmethod
    def close(self, handle: int) -> None:
        """Give the descriptor back."""

    @abstractmethod
    def size_if_same(self, handle: int, path: Path) -> int | None:
        """The size of the open file while `path` still names it, else None (deleted, rotated)."""

    @abstractmethod
    def read(self, path: Path, limit: int | None = None, *, own: bool = False) -> bytes:
        """The whole file, or its first `limit` bytes; with `own` only when the file is this user's."""

    def read_from(self, path: Path, start: int) -> bytes:
        """The file from byte `start` on; when `start` is negative its last bytes, so many at most."""
        return self.read(path)[start:]

    @abstractmethod
    def list(self, path: Path) -> tuple[str, ...]:
        """The names in a directory, sorted."""

    @abstractmethod
    def make_directory(self, path: Path) -> None:
        """Create one directory; it is an error when the path exists."""

    @abstractmethod
    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""

    @abstractmethod
    def replace(self, source: Path, to: Path) -> None:
        """Give `source` the name `to` in one step, over whatever had it."""

    @abstractmethod
    def remove(self, path: Path) -> None:
        """Remove a file."""

    @abstractmethod
    def sync_directory(self, path: Path) -> None:
        """Return when the names in the directory are durable."""

    @abstractmethod
    def look(self, path: Path) -> FoundFile | None:
        """What stands at the path, or None for nothing."""

    def keep(self, path: Path, data: bytes, *, durable: bool, mode: int = FILE_MODE) -> None:
        """Replace a whole file in one step: readers see the old text or the new one, never half.

        With `durable` it also survives a power loss once this returns. Whoever keeps the same file at the same time
        makes another: what `replace` gives the name to is whole.
        """
        temporary = path.with_name(f".{path.name}.{unguessable()}.new")
        handle = self.create(temporary, mode)
        try:
            try:
                self.write_all(handle, data)
                if durable:
                    self.sync(handle)
            finally:
                self.close(handle)
            self.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                self.remove(temporary)  # half a file must not keep a full disk full
            raise
        if durable:
            self.sync_directory(path.parent)

    def sweep(self, directory: Path) -> None:
        """Remove what processes that were killed inside `keep` left in a directory that is ours alone now."""
        for name in self.list(directory):
            if _MADE.fullmatch(name):
                self.remove(directory / name)

    def write_all(self, handle: int, data: bytes) -> None:
        """One write that takes everything, or `OSError`."""
        if self.write(handle, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def make_directories(self, path: Path) -> None:
        """Create the directory and its missing parents; an existing directory is fine."""
        if self.look(path) is not None:
            return
        self.make_directories(path.parent)
        try:
            self.make_directory(path)
        except FileExistsError:
            return  # another process was faster
        self.sync_directory(path.parent)


class RealDisk(Disk):
    """The file system of this machine."""

    def create(self, path: Path, mode: int = FILE_MODE) -> int:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | _SAFE, mode)

    def open_append(self, path: Path) -> int:
        return _checked(os.open(path, os.O_WRONLY | os.O_APPEND | _SAFE), path, own=True)

    def open_lock(self, path: Path) -> int:
        return _checked(os.open(path, os.O_RDWR | os.O_CREAT | _SAFE, FILE_MODE), path)

    def make_fifo(self, path: Path) -> None:
        os.mkfifo(path, FILE_MODE)

    def open_fifo(self, path: Path, *, write: bool) -> int:
        # O_RDWR: the reader's own writing end; Linux and the BSDs take it, POSIX leaves it open (fifo(7))
        handle = os.open(path, (os.O_WRONLY if write else os.O_RDWR) | _SAFE)
        return _checked(handle, path, own=True, fifo=True)

    def write(self, handle: int, data: bytes) -> int:
        return os.write(handle, data)

    def sync(self, handle: int) -> None:
        full = getattr(fcntl, "F_FULLFSYNC", None)
        if full is not None:  # macOS: fsync alone leaves the data in the drive's cache
            fcntl.fcntl(handle, full)
        else:
            os.fdatasync(handle)

    def truncate(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)

    def close(self, handle: int) -> None:
        os.close(handle)

    def size_if_same(self, handle: int, path: Path) -> int | None:
        ours = os.fstat(handle)
        try:
            named = os.stat(path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return ours.st_size if (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino) else None

    def read(self, path: Path, limit: int | None = None, *, own: bool = False) -> bytes:
        handle = _checked(os.open(path, os.O_RDONLY | _SAFE), path, own=own)
        with open(handle, "rb") as file:
            return file.read() if limit is None else file.read(limit)

    def read_from(self, path: Path, start: int) -> bytes:
        handle = _checked(os.open(path, os.O_RDONLY | _SAFE), path)
        with open(handle, "rb") as file:
            size = os.fstat(handle).st_size
            file.seek(start if start >= 0 else max(0, size + start))
            return file.read()

    def list(self, path: Path) -> tuple[str, ...]:
        return tuple(sorted(os.listdir(path)))

    def make_directory(self, path: Path) -> None:
        os.mkdir(path, DIRECTORY_MODE)

    def remove_directory(self, path: Path) -> None:
        os.rmdir(path)

    def replace(self, source: Path, to: Path) -> None:
        os.replace(source, to)

    def remove(self, path: Path) -> None:
        os.unlink(path)

    def sync_directory(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def look(self, path: Path) -> FoundFile | None:
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "link"))
        kind = next((name for test, name in kinds if test(found.st_mode)), "other")
        mode = stat.S_IMODE(found.st_mode)
        return FoundFile(kind, found.st_uid, mode, found.st_size, found.st_mtime_ns, found.st_gid)


def _checked(handle: int, path: Path, *, own: bool = False, fifo: bool = False) -> int:
    """The descriptor, when what it leads to is of the kind that was meant, and with `own` this user's.

    The superuser takes over what it goes on with, whoever began it; nobody else writes to another user's file.

    Raises:
        OSError: for anything else; the descriptor is closed.
    """
    found = os.fstat(handle)
    if not (stat.S_ISFIFO if fifo else stat.S_ISREG)(found.st_mode):
        os.close(handle)
        kind = "a fifo" if fifo else "a regular file"
        raise OSError(errno.EINVAL, f"It is not {kind}", str(path))
    if own and os.geteuid() not in (0, found.st_uid):
        os.close(handle)
        raise OSError(errno.EPERM, f"It belongs to user {found.st_uid}, not to you", str(path))
    return handle
