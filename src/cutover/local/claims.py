"""Which run owns a route, also while no process lives: a small file per route, named by the route alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from cutover.core.errors import LeaseError
from cutover.core.moment import Moment, wall_text
from cutover.core.values import RouteId, RunId, canonical_json, digest
from cutover.local.state_directory import StateDirectory

IsOver = Callable[[str], bool]
"""Whether a run can never act again, by its id."""


def route_key(route: RouteId) -> str:
    """What the files of a route are called."""
    return digest(route)[:32]


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
        found = {route: self._living(route) for route in routes}
        return {route: RunId(owner) for route, owner in found.items() if owner}

    def other(self, route: RouteId, run_id: str) -> str:
        """Another run that is proved to own the route; empty for none, and for a claim that cannot be read.

        Our own claim is told by its name alone: judging whether a run is over reads its whole journal.
        """
        try:
            owner = self._owner(route)
            if owner is None or owner == run_id or self._is_over(owner):
                return ""
        except (LeaseError, OSError):
            return ""
        return owner

    def refuse_others(
        self, routes: Sequence[RouteId], run_id: str, *, for_rollback: bool = False
    ) -> None:
        """Let only the owner of the routes, or anybody where nobody owns them, go on.

        With `for_rollback` a claim that cannot be read is nobody's: it must not stop the way back.

        Raises:
            LeaseError: when another run owns one of them.
        """
        for route in routes:
            owner = self.other(route, run_id) if for_rollback else self._living(route)
            if owner and owner != run_id:
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
        return self._state.leases / f"{route_key(route)}.claim"

    def _living(self, route: RouteId) -> str:
        owner = self._owner(route)
        return owner if owner is not None and not self._is_over(owner) else ""

    def _owner(self, route: RouteId) -> str | None:
        path = self._path(route)
        try:
            return str(json.loads(self._state.disk.read(path))["run"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise LeaseError(
                f"the claim {path} on {route} cannot be read: {error}",
                hint="`cutover list` shows the runs; when none of them moves this route, remove the file",
            ) from None

    def _over_by_phase(self, run_id: str) -> bool:
        run = self._state.get(run_id)
        return run is None or run.is_over() or run.wrote_nothing()
