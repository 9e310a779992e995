"""The right to be the one runner of a route, on this machine and for this user.

Two things keep a route for one run. The *lock* is `flock` on a file per route: the kernel frees it
when its process dies, however it dies, and a recycled pid means nothing to it. The *claim* is a
small file that outlives the process: a run that was killed, or that rests at COMPLETED, still owns
its routes until it is rolled back or finished. Both are named by the route alone, so two plan files
with one rule exclude each other.

Lock files are never removed: a process could still hold the removed one while another locks its
successor.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cutover.core.errors import CutoverError, LeaseError
from cutover.core.moment import Moment, wall_text
from cutover.core.observation import Known, Reading, Unknown
from cutover.core.values import RouteId, RunId, canonical_json, digest
from cutover.local.disk import Disk
from cutover.local.state_directory import StateDirectory
from cutover.ports import Lease

LOOKS, LOOK_S = 15, 0.02
"""Who is refused a moment later has the lock in hand for some milliseconds: so often, and so many seconds apart, a lock
is tried again before somebody is said to drive."""

PATIENT_LOOKS = 500
"""The same while the lock is only shared: who shares it only looks (`holder`), and drives nothing however long it takes."""

IsOver = Callable[[str], bool]
"""Whether a run can never act again, by its id."""


@dataclass(frozen=True)
class Holder:
    """Who holds a route's lock, as the lock file says: for people only, the lock itself decides."""

    run: str
    pid: int
    host: str
    since: str


class SoleLease(Lease):
    """The lease on a world that nobody else can reach: a rehearsal's own."""

    def renew(self, now: Moment) -> Reading[None]:
        return Known(None, now)

    def other_owner(self) -> str:
        return ""

    def ends(self, now: Moment) -> Moment | None:
        return None


class FlockLease(Lease):
    """Locks on every route of a plan, all or none; they live exactly as long as the process."""

    def __init__(self, disk: Disk, locks: Mapping[RouteId, tuple[Path, int]]) -> None:
        self._disk = disk
        self._locks = dict(locks)

    @classmethod
    def take(
        cls,
        state: StateDirectory,
        routes: Sequence[RouteId],
        run_id: str,
        now: Moment,
        *,
        is_over: IsOver | None = None,
        for_rollback: bool = False,
    ) -> FlockLease:
        """Lock every route and claim it for the run.

        With `for_rollback` the kernel's lock is enough: a full disk that takes neither our name nor
        the claim must not stop the way back (promises P13).

        Claims of runs that are over, or that never wrote a journal, are replaced.

        Raises:
            LeaseError: when another process or another run holds one; nothing is kept then.
        """
        claims = Claims(state, is_over)
        locks: dict[RouteId, tuple[Path, int]] = {}
        lease = cls(state.disk, locks)
        try:
            for route in sorted(
                set(routes), key=_key
            ):  # one order for everybody: no deadlock, one winner
                path = state.leases / f"{_key(route)}.lock"
                lease._locks[route] = (path, _lock(state.disk, path, route))
            claims.refuse_others(routes, run_id)
            with contextlib.suppress(*((OSError,) if for_rollback else ())):
                for route, (_, handle) in lease._locks.items():
                    _sign(state.disk, handle, route, run_id, now)
                claims.claim(routes, run_id, now)
        except OSError as error:
            lease.close()
            raise LeaseError(
                f"the lease in {state.leases} cannot be taken: {error.strerror or error}",
                hint="free space or repair the directory; without a lease nothing is written",
            ) from None
        except CutoverError:
            lease.close()
            raise
        return lease

    def renew(self, now: Moment) -> Reading[None]:
        for route, (path, handle) in self._locks.items():
            try:
                same = self._disk.size_if_same(handle, path) is not None
            except OSError as error:
                return Unknown(f"{path}: {error.strerror or error}", "lease")
            if not same:
                return Unknown(
                    f"the lock file of {route} was deleted or replaced: {path}", "lease"
                )
        return Known(None, now) if self._locks else Unknown("the lease was given back", "lease")

    def other_owner(self) -> str:
        return ""

    def ends(self, now: Moment) -> Moment | None:
        return None  # the kernel keeps it for as long as the process lives

    def close(self) -> None:
        """Give the locks back. Claims stay: see `Claims.release`."""
        for _, handle in self._locks.values():
            with contextlib.suppress(OSError):
                self._disk.close(handle)
        self._locks.clear()


class Claims:
    """Which run owns which route, also while no process lives."""

    def __init__(self, state: StateDirectory, is_over: IsOver | None = None) -> None:
        self._state = state
        self._is_over = is_over or self._over_by_phase

    def of(self, routes: Sequence[RouteId]) -> dict[RouteId, RunId]:
        """The run that owns each route; routes that nobody owns are left out.

        Raises:
            LeaseError: when a claim cannot be read: somebody may own the route.
        """
        owners: dict[RouteId, RunId] = {}
        for route in routes:
            owner = self._owner(route)
            if owner is not None and not self._is_over(owner):
                owners[route] = RunId(owner)
        return owners

    def refuse_others(self, routes: Sequence[RouteId], run_id: str) -> None:
        """Let only the owner of the routes, or anybody where nobody owns them, go on.

        Raises:
            LeaseError: when another run owns one of them.
        """
        for route, owner in self.of(routes).items():
            if owner != run_id:
                run = self._state.get(owner)
                phase = (run.phase() if run else "") or "no phase yet"
                raise LeaseError(
                    f"{route} belongs to run {owner} ({phase}), which is not over",
                    hint=f"`cutover status {owner}` shows it; end it with `cutover rollback {owner}` "
                    f"or `cutover finish {owner}`",
                )

    def claim(self, routes: Sequence[RouteId], run_id: str, now: Moment) -> None:
        """Write the claims durably; raises `OSError`."""
        for route in routes:
            claim = {"route": route, "run": run_id, "since": wall_text(now.wall)}
            text = canonical_json(claim).encode("ascii")
            self._state.disk.keep(self._path(route), text, durable=True)

    def release(self, routes: Sequence[RouteId], run_id: str) -> None:
        """Give the routes free that this run owns; call it when the run is over, before the lock goes.

        A claim that cannot be removed does no harm: its run is over, and the next run sees that.
        """
        for route in routes:
            with contextlib.suppress(OSError, LeaseError):
                if self._owner(route) == run_id:
                    self._state.disk.remove(self._path(route))

    def _path(self, route: RouteId) -> Path:
        return self._state.leases / f"{_key(route)}.claim"

    def _owner(self, route: RouteId) -> str | None:
        path = self._path(route)
        try:
            return str(json.loads(self._state.disk.read(path))["run"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LeaseError(
                f"the claim {path} on {route} cannot be read: {error}",
                hint="`cutover list` shows the runs; when none of them moves this route, remove the file",
            ) from None

    def _over_by_phase(self, run_id: str) -> bool:
        run = self._state.get(run_id)
        return run is None or run.is_over() or run.wrote_nothing()


def holder(state: StateDirectory, route: RouteId) -> Holder | None:
    """Who locks the route now, or None when nobody does; asks the lock itself, not only its file."""
    try:
        return _held(state, state.leases / f"{_key(route)}.lock")
    except OSError:
        return None


def driver(state: StateDirectory, run_id: str) -> Holder | None:
    """Who drives the run now. Its locks name it before its first record, or even its directory, is there.

    Raises:
        LeaseError: when the locks cannot be looked at: somebody may drive it.
    """
    try:
        names = state.disk.list(state.leases)
        held = [_held(state, state.leases / name) for name in names if name.endswith(".lock")]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LeaseError(
            f"the locks in {state.leases} cannot be looked at, so a process may drive run {run_id}: "
            f"{error.strerror or error}",
            hint=f"repair the directory, or say it by signal: kill -TERM makes a run hold; `cutover rollback {run_id}` works",
        ) from None
    return next((one for one in held if one is not None and one.run == run_id), None)


def _held(state: StateDirectory, path: Path) -> Holder | None:
    if state.disk.look(path) is None:
        return None
    handle = state.disk.open_lock(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _signed(state.disk, path)
    finally:
        state.disk.close(handle)
    return None


def _key(route: RouteId) -> str:
    return digest(route)[:32]


def _lock(disk: Disk, path: Path, route: RouteId) -> int:
    handle = disk.open_lock(path)
    try:
        driven = looked_at = 0
        while not (ours := _lock_now(disk, handle, path)):
            if driven == LOOKS or looked_at == PATIENT_LOOKS:
                break
            select.select([], [], [], LOOK_S)
            if _only_looked_at(disk, handle, path):
                looked_at += 1
            else:
                driven += 1
    except OSError:
        disk.close(handle)
        raise
    if not ours:
        disk.close(handle)
        who = _signed(disk, path)
        raise LeaseError(
            f"{route} is being moved by run {who.run}, process {who.pid} on {who.host}, since {who.since}",
            hint=f"`cutover status {who.run}` shows it; `cutover pause {who.run}` or "
            f"`cutover rollback {who.run}` reaches it",
        )
    return handle


def _lock_now(disk: Disk, handle: int, path: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # removed between open and lock: somebody else may hold its successor
    return disk.size_if_same(handle, path) is not None


def _only_looked_at(disk: Disk, handle: int, path: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(handle, fcntl.LOCK_UN)
    return disk.size_if_same(handle, path) is not None


def _sign(disk: Disk, handle: int, route: RouteId, run_id: str, now: Moment) -> None:
    who = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "route": route,
        "run": run_id,
        "since": wall_text(now.wall),
    }
    disk.truncate(handle, 0)
    disk.write_all(handle, canonical_json(who).encode("ascii"))


def _signed(disk: Disk, path: Path) -> Holder:
    try:
        data = json.loads(disk.read(path))
        return Holder(str(data["run"]), int(data["pid"]), str(data["host"]), str(data["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Holder("(starting)", 0, "this machine", "a moment ago")
