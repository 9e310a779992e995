"""Composition for `rollback --plan PLAN --no-run`: no run, no journal, no lease, no other service than ELBv2.

For when the run directory is lost or on another machine. It reads the live configs and sets the source
full and the destination 0, changing nothing else. What it cannot know is how things were before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cutover.app.clients import connect
from cutover.core.errors import CredentialsError, ExitCode
from cutover.core.observation import Known, Unknown
from cutover.core.plan import Plan
from cutover.core.routing import RouteConfig
from cutover.core.values import NONE, RouteId, weight_text
from cutover.local.clock import SystemClock
from cutover.ports import Change, Clock, Router, Unconditional, WriteResult

TRIES = 6
APART_MS = 2_500
"""Two equal reads at least 2 s apart commit a config."""


@dataclass
class BreakGlassResult:
    """What became of each route: restored and read back twice, or why not."""

    done: dict[RouteId, str] = field(default_factory=dict)
    open: dict[RouteId, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        """3 when every route was read back, else 4."""
        return ExitCode.NEEDS_HUMAN if self.open else ExitCode.ROLLED_BACK


def restore(
    plan: Plan,
    *,
    profile: str | None = None,
    region: str | None = None,
    tell: Callable[[str], None],
) -> BreakGlassResult:
    """Source full, destination 0 on every route of the plan.

    Raises:
        CredentialsError: when AWS refuses every read, before anything was written.
    """
    clock = SystemClock()
    clients = connect(plan, clock, profile=profile, region=region)
    return restore_routes(tuple(route.id for route in plan.routes), clients.router, clock, tell)


def restore_routes(
    routes: tuple[RouteId, ...], router: Router, clock: Clock, tell: Callable[[str], None]
) -> BreakGlassResult:
    """As `restore`, on a router: each route is written once, and only reads after the answer count.

    A route that reads as restored is written too, as it reads: nobody here knows what a run sent a moment ago, and a
    read may be older than that.

    Raises:
        CredentialsError: when every first read is denied.
    """
    restored = BreakGlassResult(open=dict.fromkeys(routes, "not read yet"))
    answered: set[RouteId] = set()
    at_zero: dict[RouteId, str] = {}
    for attempt in range(TRIES):
        if attempt:
            clock.sleep(APART_MS)
        readings = router.read(tuple(restored.open))
        denied = [r for r in readings.values() if isinstance(r, Unknown) and r.denied]
        if attempt == 0 and denied and len(denied) == len(readings):
            raise CredentialsError(
                f"AWS refuses: {denied[0].reason}",
                hint="log in again or give --profile; the restore.sh of a run reads nothing, it only needs ModifyRule and ModifyListener",
            )
        changes: list[Change] = []
        for route, reading in readings.items():
            if not isinstance(reading, Known):
                restored.open[route] = f"cannot be read: {getattr(reading, 'reason', 'not asked')}"
                continue
            config = reading.value
            if _is_back(config) and route in answered:
                if at_zero.get(route) == config.hash:
                    restored.done[route] = _said(config)
                    del restored.open[route]
                    tell(f"{route}: read back twice: {_said(config)}")
                at_zero[route] = config.hash
                continue
            at_zero.pop(route, None)
            back = config if _is_back(config) else _back(router, route, config)
            if back is None:
                restored.open[route] = "cannot be set: the planned source is not in the action"
            else:
                changes.append(Change(route, back))
        answered |= _write(router, changes, restored, tell)
        if not restored.open:
            break
    return restored


def _write(
    router: Router, changes: list[Change], restored: BreakGlassResult, tell: Callable[[str], None]
) -> set[RouteId]:
    """Send the changes; the routes whose write was answered."""
    if not changes:
        return set()
    outcomes = router.write(changes, Unconditional(lasting=True))
    for route, outcome in outcomes.items():
        aside = f" ({outcome.message})" if outcome.message else ""
        said = (
            f"written{aside}"
            if outcome.result is WriteResult.APPLIED
            else f"{outcome.result}: {outcome.code} {outcome.message}"
        )
        restored.open[route] = f"{said}, not read back yet"
        tell(f"{route}: source full, destination 0: {said}")
    return {r for r, outcome in outcomes.items() if outcome.result is WriteResult.APPLIED}


def _back(router: Router, route: RouteId, config: RouteConfig) -> RouteConfig | None:
    """Source full, destination 0, and nothing else changed: as a rollback does it, not as a raise, which may be refused."""
    return router.restored(route, config, replace(config, weight=NONE), "keep", verbatim=False)


def _is_back(config: RouteConfig) -> bool:
    """The source has everything: our weight is 0, or the destination is not in the action at all."""
    return config.source_present and (config.weight == 0 or not config.attached)


def _said(config: RouteConfig) -> str:
    sticky = (
        "; group stickiness is on: clients with a cookie stay on the destination until it ends"
        if config.sticky
        else ""
    )
    return f"destination at {weight_text(config.weight or 0)}{sticky}"
