"""The directory that holds every run of this user, and how a person names one of them.

`$CUTOVER_STATE_DIR`, else `$XDG_STATE_HOME/cutover`, else `~/.local/state/cutover`:

    runs/<run-id>/        see run_directory
    rehearsals/<run-id>/  the same files, never "the only live run"
    leases/               one lock and one claim per route
    HOLD, ROLLBACK        kill switches for every run (also inside one run's directory)
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from cutover.core.errors import CutoverError, RefusedError, UsageError
from cutover.core.moment import wall_text
from cutover.local.disk import Disk, RealDisk
from cutover.local.rehearsal_file import read_rehearsed, really_began
from cutover.local.run_directory import RunDirectory, checked_run_id, is_run_id

_NETWORKED = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "fuse.sshfs"})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOUNT_ESCAPE = re.compile(r"\\([0-7]{3})")


class StateDirectory:
    """The directory that holds every run of this user."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self.root = root
        self.disk = disk or RealDisk()

    @classmethod
    def find(cls, environment: Mapping[str, str], disk: Disk | None = None) -> StateDirectory:
        """The one that the environment names; nothing is created or checked yet.

        Raises:
            UsageError: when neither a state directory nor a home is known.
        """
        if named := environment.get("CUTOVER_STATE_DIR"):
            return cls(Path(named).expanduser().absolute(), disk)
        state = environment.get("XDG_STATE_HOME", "")
        if Path(state).is_absolute():  # the XDG specification: a relative path is to be ignored
            return cls(Path(state) / "cutover", disk)
        if home := environment.get("HOME"):
            return cls(Path(home) / ".local" / "state" / "cutover", disk)
        raise UsageError("no directory for run state: neither CUTOVER_STATE_DIR nor HOME is set",
                         hint="set CUTOVER_STATE_DIR to a directory on a local disk")  # fmt: skip

    @property
    def leases(self) -> Path:
        """Locks and claims, shared by every plan of this user."""
        return self.root / "leases"

    def prepare(self) -> None:
        """Create what is missing, and refuse a place that others could write to.

        Raises:
            RefusedError: for links, foreign owners, directories that others can write to (or could put another in the
                place of), network mounts.
            UsageError: when it cannot be created.
        """
        self._make()
        for doubt in self._doubts():
            raise doubt

    def prepare_for_rollback(self) -> tuple[CutoverError, ...]:
        """As `prepare`, but going back is never refused: what is wrong with the place is returned, to be told."""
        try:
            self._make()
        except UsageError as error:
            return (error, *self._doubts())
        return tuple(self._doubts())

    def _make(self) -> None:
        try:
            for path in self._directories():
                self.disk.make_directories(path)
        except OSError as error:
            raise UsageError(f"state directory {self.root}: {error.strerror or error}",
                             hint="set CUTOVER_STATE_DIR to a writable directory on a local disk") from None  # fmt: skip

    def _directories(self) -> tuple[Path, ...]:
        return (self.root, self.root / "runs", self.root / "rehearsals", self.leases)

    def _doubts(self) -> Iterator[CutoverError]:
        """Why the place is not to be trusted, the outermost first."""
        try:
            for path in self._above():
                yield from self._unsafe_above(path)
            for path in self._directories():
                yield from self._unsafe(path)
        except OSError as error:
            yield RefusedError(
                f"nobody can tell who may write to {self.root}: {error.strerror or error}",
                hint="set CUTOVER_STATE_DIR to your own directory on a local disk",
            )
        yield from self._networked()

    def create(self, run_id: str, plan_text: str, *, rehearsal: bool = False) -> RunDirectory:
        """A new run's directory with its plan.

        Raises:
            UsageError: for a bad id, one that exists, or a disk that does not take it.
        """
        run = self._run(checked_run_id(run_id), rehearsal=rehearsal)
        try:
            self.disk.make_directory(run.path)
            self.disk.make_directory(run.commands)
            self.disk.keep(run.plan, plan_text.encode(), durable=not rehearsal)
            if not rehearsal:
                self.disk.sync_directory(run.path.parent)
        except FileExistsError:
            raise UsageError(
                f"run {run_id} exists already", hint="give another --run-id, or none"
            ) from None
        except OSError as error:
            self._take_back(run)
            mend = "free space" if error.errno in _FULL else f"make {run.path.parent} writable"
            raise UsageError(
                f"{run.path}: {error.strerror or error}",
                hint=f"{mend}, or set CUTOVER_STATE_DIR to another local disk",
            ) from None
        return run

    def _take_back(self, run: RunDirectory) -> None:
        """A directory that could not be filled is no run."""
        with contextlib.suppress(OSError):
            self.disk.remove(run.plan)
        for path in (run.commands, run.path):
            with contextlib.suppress(OSError):
                self.disk.remove_directory(path)

    def list_runs(self, *, rehearsals: bool = False) -> tuple[RunDirectory, ...]:
        """Every run (or rehearsal) on this machine, by name.

        Raises:
            UsageError: when the directory is there and cannot be read: there may be runs in it.
        """
        place = self.root / ("rehearsals" if rehearsals else "runs")
        try:
            names = self.disk.list(place)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise UsageError(
                f"{place} cannot be read, so nobody knows which runs live: {error.strerror or error}",
                hint="look as the user who started them, or mend the directory's permissions",
            ) from None
        known = (name for name in names if is_run_id(name))
        runs = (self._run(name, rehearsal=rehearsals) for name in known)
        return tuple(run for run in runs if self._is_directory(run.path))

    def resolve(self, text: str | None) -> RunDirectory:
        """The run that a person means: by id, unique prefix, or nothing for the only live one.

        Rehearsals are found by id or prefix, after runs; they are never the only live run. Of several whose ids begin so the
        newest is meant: nothing can be done to one, so nothing is ever done to a run that was guessed.

        Raises:
            UsageError: when none or several runs are meant; the message names them.
        """
        runs = self.list_runs()
        if text is None:
            return _only([run for run in runs if not run.is_over()], "live run", runs)
        for among in (runs, self.list_runs(rehearsals=True)):
            if exact := [run for run in among if run.id == text]:
                return exact[0]
            if text and (found := [run for run in among if run.id.startswith(text)]):
                if among is not runs:
                    return max(found, key=_began)
                return _only(found, f"run whose id begins with {text[:100]!r}", among)
        return _only([], f"run {text[:100]!r}", runs)

    def get(self, run_id: str) -> RunDirectory | None:
        """The run of exactly this id, if it is on this machine."""
        if not is_run_id(run_id):
            return None
        run = self._run(run_id, rehearsal=False)
        return run if self._is_directory(run.path) else None

    def _run(self, run_id: str, *, rehearsal: bool) -> RunDirectory:
        return RunDirectory(
            self.root / ("rehearsals" if rehearsal else "runs") / run_id, self.disk, rehearsal
        )

    def _is_directory(self, path: Path) -> bool:
        try:
            found = self.disk.look(path)
        except OSError:
            return False
        return found is not None and found.kind == "directory"

    def _above(self) -> tuple[Path, ...]:
        """Every directory in which somebody could put another in the place of ours, by name and behind links."""
        real = Path(os.path.realpath(self.root.parent))
        return tuple(dict.fromkeys((*reversed((real, *real.parents)), *reversed(self.root.parents))))  # fmt: skip

    def _unsafe_above(self, path: Path) -> Iterator[CutoverError]:
        found = self.disk.look(path)
        if found is None or found.kind != "directory":
            return  # a link: what it leads to is looked at, and the directory that holds it
        if found.owner not in (0, os.geteuid()):
            yield RefusedError(
                f"{path} belongs to user {found.owner}, who could put another directory in the place of {self.root}",
                hint="set CUTOVER_STATE_DIR to a directory below your own",
            )
        alone = not found.mode & stat.S_IWOTH and _is_private(found.group)
        if found.mode & _OTHERS_WRITE and not found.mode & stat.S_ISVTX and not alone:
            yield RefusedError(
                f"{path} can be written by {_who(found.mode)}, who could put another directory in the place of {self.root}",
                hint=f"chmod go-w {path}, or set CUTOVER_STATE_DIR to a directory below your own",
            )

    def _unsafe(self, path: Path) -> Iterator[CutoverError]:
        found = self.disk.look(path)
        if found is None or found.kind != "directory":
            yield RefusedError(f"{path} is a {found.kind if found else 'missing directory'}, not a directory",
                               hint="set CUTOVER_STATE_DIR to the real directory")  # fmt: skip
            return
        if found.owner != os.geteuid():
            yield RefusedError(f"{path} belongs to user {found.owner}, not to you",
                               hint="run as that user, or set CUTOVER_STATE_DIR to your own directory")  # fmt: skip
        if found.mode & _OTHERS_WRITE:
            yield RefusedError(
                f"{path} can be written by {_who(found.mode)}", hint=f"chmod 700 {path}"
            )

    def _networked(self) -> Iterator[CutoverError]:
        try:
            mounts = Path("/proc/mounts").read_text(errors="replace")
        except OSError:
            return  # not Linux: nothing to ask
        kind = filesystem_of(self.root, mounts)
        if kind in _NETWORKED:
            yield RefusedError(
                f"{self.root} is on a network file system ({kind}), where locks do not exclude other machines",
                hint="set CUTOVER_STATE_DIR to a directory on a local disk",
            )


def _is_private(group: int) -> bool:
    """The group that Linux distributions give each user, with whose write permission they make directories (umask 002).

    Its name is the user's, and nobody else is in it: https://wiki.debian.org/UserPrivateGroups
    """
    try:
        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except (KeyError, OverflowError):
        return False
    return (
        group == user.pw_gid
        and found.gr_name == user.pw_name
        and not set(found.gr_mem) - {user.pw_name}
    )


def _who(mode: int) -> str:
    return "everybody on this machine" if mode & stat.S_IWOTH else "its group"


def filesystem_of(path: Path, mounts: str) -> str:
    """The type of the file system that holds `path`, by the text of /proc/mounts; empty if unknown."""
    best, kind = -1, ""
    where = os.path.realpath(path)
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _MOUNT_ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), fields[1])
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:  # a later line covers an earlier one
            best, kind = len(point), fields[2]
    return kind


def _began(rehearsal: RunDirectory) -> tuple[bool, str, str]:
    """Orders rehearsals by when they really began."""
    began = really_began(rehearsal, read_rehearsed(rehearsal))
    return began is not None, wall_text(began) if began is not None else "", rehearsal.id


def _only(found: list[RunDirectory], what: str, among: tuple[RunDirectory, ...]) -> RunDirectory:
    if len(found) == 1:
        return found[0]
    named = [f"{run.id} ({run.phase() or 'no phase yet'})" for run in (found or list(among))[-10:]]
    listed = "one of: " + ", ".join(named) if named else "`cutover run PLAN` starts one"
    many = what.replace("run", "runs", 1).replace("whose id begins", "whose ids begin")
    raise UsageError(f"there is no {what}" if not found else f"there are {len(found)} {many}",
                     hint=f"name {listed}" if named else listed)  # fmt: skip
