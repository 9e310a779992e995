"""Who holds the locks of routes now, for those who only look; see `local/lease.py`."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path

from cutover.core.errors import LeaseError
from cutover.core.values import RouteId
from cutover.local.claims import route_key
from cutover.local.disk import Disk
from cutover.local.state_directory import StateDirectory
from cutover.ports.holder import Holder


def holder(state: StateDirectory, route: RouteId) -> Holder | None:
    """Who locks the route now, or None when nobody does; asks the lock itself, not only its file."""
    try:
        return held(state, state.leases / f"{route_key(route)}.lock")
    except OSError:
        return None


def driver(state: StateDirectory, run_id: str) -> Holder | None:
    """Who drives the run now. Its locks name it before its first record, or even its directory, is there.

    Raises:
        LeaseError: when the locks cannot be looked at: somebody may drive it.
    """
    return drivers(state, run_id).get(run_id)


def drivers(state: StateDirectory, run_id: str = "ID") -> Mapping[str, Holder]:
    """Who drives which run now; `run_id` is the one that is asked about.

    Raises:
        LeaseError: when the locks cannot be looked at: somebody may drive it.
    """
    try:
        names = state.disk.list(state.leases)
        found = [held(state, state.leases / name) for name in names if name.endswith(".lock")]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LeaseError(
            f"the locks in {state.leases} cannot be looked at, so a process may drive run {run_id}: "
            f"{error.strerror or error}",
            hint=f"repair the directory, or say it by signal: kill -TERM makes a run hold; `cutover rollback {run_id}` works",
        ) from None
    return {one.run: one for one in reversed(found) if one is not None}


def held(state: StateDirectory, path: Path) -> Holder | None:
    """Who holds the lock of a file; asks the lock itself.

    Raises:
        OSError: when it cannot be asked.
    """
    if state.disk.look(path) is None:
        return None
    handle = state.disk.open_lock(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return signed(state.disk, path)
    finally:
        state.disk.close(handle)
    return None


def signed(disk: Disk, path: Path) -> Holder:
    """Who a lock file says that holds its lock."""
    try:
        data = json.loads(disk.read(path))
        return Holder(str(data["run"]), int(data["pid"]), str(data["host"]), str(data["since"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Holder("(starting)", 0, "this machine", "a moment ago")
