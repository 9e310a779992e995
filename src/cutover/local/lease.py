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
import os
import select
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from cutover.core.errors import CutoverError, LeaseError, RefusedError
from cutover.core.moment import Moment, wall_text
from cutover.core.observation import LOST, OWNED, Known, Reading, Unknown
from cutover.core.values import RouteId, canonical_json
from cutover.local.claims import Claims, IsOver, route_key
from cutover.local.disk import Disk
from cutover.local.holders import held, signed
from cutover.local.state_directory import StateDirectory
from cutover.ports import Lease
from cutover.ports.store import RunLease

LOOKS, LOOK_S = 15, 0.02
"""Who is refused a moment later has the lock in hand for some milliseconds: so often, and so many seconds apart, a lock
is tried again before somebody is said to drive."""

PATIENT_LOOKS = 500
"""The same while the lock is only shared: who shares it only looks (`holder`), and drives nothing however long it takes."""


class SoleLease(Lease):
    """The lease on a world that nobody else can reach: a rehearsal's own."""

    def renew(self, now: Moment) -> Reading[None]:
        return Known(None, now)

    def other_owner(self) -> str:
        return ""

    def ends(self, now: Moment) -> Moment | None:
        return None


class FlockLease(RunLease):
    """Locks on every route of a plan, all or none; they live exactly as long as the process.

    Attributes:
        journalled_by: who else has written to the run's journal, as that can be proved; empty for nobody.
    """

    def __init__(self, state: StateDirectory, run_id: str, claims: Claims) -> None:
        self.journalled_by: Callable[[], str] = _nobody
        self._state = state
        self._run_id = run_id
        self._claims = claims
        self._locks: dict[RouteId, int | None] = {}  # None: a rollback goes on without this one

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

        With `for_rollback` only somebody who holds a lock, or another run that owns a route, stands in the way: a disk
        that takes neither our name nor the claim, or that has no lock file to give, must not stop the way back
        (docs/promises.md P13).

        Claims of runs that are over, or that never wrote a journal, are replaced.

        Raises:
            LeaseError: when another process or another run holds one; nothing is kept then.
            RefusedError: when nobody does and the files cannot be made: a full disk, a fifo in the place of a lock.
        """
        lease = cls(state, run_id, Claims(state, is_over))
        try:
            # one order for everybody: no deadlock, one winner
            for route in sorted(set(routes), key=route_key):
                lease._locks[route] = None
                with contextlib.suppress(*((OSError,) if for_rollback else ())):
                    lease._locks[route] = _lock(state.disk, lease._path(route), route)
            lease._claims.refuse_others(routes, run_id, for_rollback=for_rollback)
            with contextlib.suppress(*((OSError,) if for_rollback else ())):
                for route, handle in lease._locks.items():
                    lease._sign(route, handle, now)
                lease._claims.claim(routes, run_id, now)
        except OSError as error:
            lease.close()
            raise RefusedError(
                f"the lease in {state.leases} cannot be written: {error.strerror or error}",
                hint="free space or repair the directory; without a lease nothing is written to AWS",
            ) from None
        except CutoverError:
            lease.close()
            raise
        return lease

    def renew(self, now: Moment) -> Reading[None]:
        if not self._locks:
            return Unknown("the lease was given back", LOST)
        if owner := self.other_owner():
            return Unknown(owner, OWNED)
        lost = [route for route in self._locks if not self._is_ours(route)]
        if not lost:
            return Known(None, now)
        for route in lost:
            self._retake(route, now)
        named = ", ".join(str(self._path(route)) for route in lost)
        return Unknown(f"the lock file was deleted or replaced, or cannot be read: {named}", LOST)

    def other_owner(self) -> str:
        return self.locked_by() or self.journalled_by()

    def locked_by(self) -> str:
        """Who else holds a lock or a claim of ours by now; empty for nobody. The journal is not asked."""
        for route in tuple(self._locks):
            if self._is_ours(route):
                continue
            with contextlib.suppress(OSError):
                locking = held(self._state, self._path(route))
                # without a name in it the lock may be in the hand of somebody who is about to be refused
                if locking is not None and locking.pid:
                    return f"process {locking.pid} on {locking.host} drives run {locking.run}"
            if other := self._claims.other(route, self._run_id):
                return f"{route} belongs to run {other}"
        return ""

    def ends(self, now: Moment) -> Moment | None:
        return None  # the kernel keeps it for as long as the process lives

    def close(self) -> None:
        """Give the locks back. Claims stay: see `Claims.release`."""
        for handle in self._locks.values():
            self._give_back(handle)
        self._locks.clear()

    def _path(self, route: RouteId) -> Path:
        return self._state.leases / f"{route_key(route)}.lock"

    def _is_ours(self, route: RouteId) -> bool:
        handle = self._locks.get(route)
        try:
            return (
                handle is not None
                and self._state.disk.size_if_same(handle, self._path(route)) is not None
            )
        except OSError:
            return False

    def _retake(self, route: RouteId, now: Moment) -> None:
        """Lock and claim a route again whose lock file went away; what fails is tried at the next turn."""
        disk, before = self._state.disk, self._locks[route]
        with contextlib.suppress(OSError):
            if disk.look(self._state.leases) is None:
                disk.make_directory(self._state.leases)
            handle = disk.open_lock(self._path(route))
            self._locks[route] = handle  # before it is locked: who asks meanwhile sees no stranger
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._locks[route] = before
                disk.close(handle)
                return
            self._give_back(before)
            self._sign(route, handle, now)
            self._claims.claim((route,), self._run_id, now)

    def _give_back(self, handle: int | None) -> None:
        if handle is not None:
            with contextlib.suppress(OSError):
                self._state.disk.close(handle)

    def _sign(self, route: RouteId, handle: int | None, now: Moment) -> None:
        if handle is None:
            return
        who = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "route": route,
            "run": self._run_id,
            "since": wall_text(now.wall),
        }
        text = canonical_json(who).encode("ascii")
        with contextlib.suppress(OSError):
            if self._state.disk.read(self._path(route)) == text:
                return  # a full disk would take the name away and not give it back
        self._state.disk.truncate(handle, 0)
        self._state.disk.write_all(handle, text)


def _nobody() -> str:
    return ""


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
        who = signed(disk, path)
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
